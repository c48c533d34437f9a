# Tokenisers of one corpus, each a job of its own; what a corpus does not carry is recorded as such.


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
