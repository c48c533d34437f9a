# Tokenisers of one corpus, each a job of its own; what a corpus does not carry is recorded as such.
# And published ones, beside each other.
from kensho.bench.catalogue import EXPERIMENTS


rule train_tokeniser:
    """A vocabulary by SentencePiece: algorithm, MeCab before it or not, size, coverage (F-5)."""
    input:
        text="results/data/attested.csv",
    output:
        model="results/bench/tokenisers/{tokeniser}.model",
        record="results/bench/tokenisers/{tokeniser}.json",
    log:
        "logs/train_tokeniser/{tokeniser}.log",
    benchmark:
        "logs/benchmarks/train_tokeniser/{tokeniser}.tsv"
    wildcard_constraints:
        tokeniser=r"(unigram|bpe)(-mecab)?-\d+-[\d.]+",
    conda:
        MODELS
    resources:
        mem_mb=memory(4000),
        runtime=minutes(15),
    params:
        sentences=CONFIG.bench.tokenisers.sentences,
        code=code("bench/train_tokeniser.py", "models"),
    script:
        "../workflow/scripts/bench/train_tokeniser.py"


rule tokenisers_page:
    """Published tokenisers by text: characters per token, fertility, scripts, bytes, speed."""
    input:
        observed=observation_files("published_tokenisers", PLAN.arms["published_tokenisers"]),
    output:
        table="results/bench/published_tokenisers.csv",
        html="results/tokenisers.html",
    log:
        "logs/tokenisers_page.log",
    conda:
        "../envs/stats.yaml"
    params:
        alpha=CONFIG.stats.alpha,
        absent=EXPERIMENTS["published_tokenisers"].absent,
        layout=[
            digest_of(LIBRARY / "kensho/report" / name)
            for name in ("tokenisers.html.j2", "style.css")
        ],
        code=code("report/tokenisers.py", "stats"),
    script:
        "../workflow/scripts/report/tokenisers.py"
