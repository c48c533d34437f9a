# Corpora of any size, in shards, and mixtures of them. Nothing here belongs to the main job.
from kensho.data import corpora as corpus_list

CORPORA = RUN.corpora
CORPUS_NAMES = corpus_list.parts(CONFIG.corpora, CORPORA)
MIXTURES = corpus_list.mixtures(CONFIG.corpora, CORPORA)
SHARDS = range(CONFIG.corpora.shards)
CORPUS = "results/data/{corpus}"
SHARD = f"{CORPUS}/shards/{{shard}}"

# Files of each corpus, as rows are named by them.
CORPUS_FILES = {
    name: corpus_list.file_names(name, CORPORA[name], RUN.locked_corpora) for name in CORPUS_NAMES
}


rule lock_corpora:
    """Ask the hub for commit and hashes of its corpora; write config/corpora.lock.yaml."""
    log:
        "logs/lock_corpora.log",
    conda:
        MODELS
    container:
        None  # what it asks and writes lies outside what an image sees
    resources:
        runtime=minutes(15),
    params:
        corpora={name: one.model_dump() for name, one in CORPORA.items() if one.hub},
        licences=CONFIG.licences,
    script:
        "../workflow/scripts/data/lock_corpora.py"


rule fetch_corpus_file:
    """One locked file of a dataset of the hub, checked; it stays in the hub's cache."""
    output:
        record=f"{CORPUS}/files/{{number}}.json",
    log:
        "logs/fetch_corpus_file/{corpus}-{number}.log",
    wildcard_constraints:
        corpus=any_of(name for name in CORPUS_NAMES if CORPORA[name].hub),
        number=r"\d+",
    retries: 2
    conda:
        MODELS
    container:
        None  # what it fetches from and keeps lies outside what an image sees
    resources:
        runtime=minutes(120),
    params:
        locked=lambda w: RUN.locked_corpora[w.corpus].model_dump(exclude={"files"}),
        file=lambda w: CORPUS_FILES[w.corpus][int(w.number)],
        pinned=lambda w: RUN.locked_corpora[w.corpus]
        .files[CORPUS_FILES[w.corpus][int(w.number)]]
        .model_dump(),
        licence=lambda w: CORPORA[w.corpus].licence_class,
        code=code("data/fetch_corpus_file.py", "models"),
    script:
        "../workflow/scripts/data/fetch_corpus_file.py"


rule corpus_shard:
    """Read, clean, measure and sketch a part of a corpus; every row that falls is named."""
    input:
        unpack(
            lambda w: corpus_list.read_by(
                w.corpus, CORPORA[w.corpus], CORPUS_FILES[w.corpus], int(w.shard), len(SHARDS)
            )
        ),
    output:
        documents=f"{SHARD}/documents.parquet",
        measures=f"{SHARD}/measures.parquet",
        drops=f"{SHARD}/drops.parquet",
        bands=f"{SHARD}/bands.npy",
        sketches=f"{SHARD}/sketches.npy",
    log:
        "logs/corpus_shard/{corpus}-{shard}.log",
    benchmark:
        "logs/benchmarks/corpus_shard/{corpus}-{shard}.tsv"
    wildcard_constraints:
        corpus=any_of(CORPUS_NAMES),
        shard=r"\d+",
    conda:
        "../envs/data.yaml"
    resources:
        mem_mb=memory(2000),
        runtime=minutes(240),
    params:
        entry=lambda w: {
            **CORPORA[w.corpus].model_dump(include={"fields", "language", "licence_class"}),
            **{"form": CORPORA[w.corpus].form, "kind": CORPORA[w.corpus].kind},
        },
        names=lambda w: CORPUS_FILES[w.corpus],
        numbers=lambda w: corpus_list.dealt(CORPUS_FILES[w.corpus], int(w.shard), len(SHARDS)),
        shards=len(SHARDS),
        cleaning=CONFIG.corpora.model_dump(
            exclude={"make", "own", "shards", "near_duplicate", "perplexity"}
        ),
        code=code("data/corpus_shard.py", "data"),
    script:
        "../workflow/scripts/data/corpus_shard.py"


rule corpus_repeats:
    """Documents of all shards that repeat an earlier one."""
    input:
        bands=expand(f"{SHARD}/bands.npy", shard=SHARDS, allow_missing=True),
        sketches=expand(f"{SHARD}/sketches.npy", shard=SHARDS, allow_missing=True),
    output:
        repeats=f"{CORPUS}/repeats.parquet",
    log:
        "logs/corpus_repeats/{corpus}.log",
    benchmark:
        "logs/benchmarks/corpus_repeats/{corpus}.tsv"
    wildcard_constraints:
        corpus=any_of(CORPUS_NAMES),
    conda:
        "../envs/data.yaml"
    resources:
        mem_mb=memory(2000),
        runtime=minutes(120),
    params:
        names=lambda w: CORPUS_FILES[w.corpus],
        threshold=CONFIG.corpora.near_duplicate,
        code=code("data/corpus_repeats.py", "data"),
    script:
        "../workflow/scripts/data/corpus_repeats.py"


rule corpus_unique:
    """A shard without what repeats."""
    input:
        documents=f"{SHARD}/documents.parquet",
        repeats=f"{CORPUS}/repeats.parquet",
    output:
        documents=f"{CORPUS}/documents/{{shard}}.parquet",
        drops=f"{SHARD}/repeats.parquet",
    log:
        "logs/corpus_unique/{corpus}-{shard}.log",
    benchmark:
        "logs/benchmarks/corpus_unique/{corpus}-{shard}.tsv"
    wildcard_constraints:
        corpus=any_of(CORPUS_NAMES),
        shard=r"\d+",
    conda:
        "../envs/data.yaml"
    resources:
        mem_mb=memory(2000),
        runtime=minutes(60),
    params:
        numbers=lambda w: CORPORA[w.corpus].fields.numbers,
        code=code("data/corpus_unique.py", "data"),
    script:
        "../workflow/scripts/data/corpus_unique.py"


rule corpus_numbers:
    """Missing numbers of a corpus: shares, Little's test, complete cases beside imputation."""
    input:
        documents=expand(f"{CORPUS}/documents/{{shard}}.parquet", shard=SHARDS, allow_missing=True),
    output:
        missing=f"{CORPUS}/missing.csv",
        test=f"{CORPUS}/missing.json",
        imputed=f"{CORPUS}/imputed.csv",
    log:
        "logs/corpus_numbers/{corpus}.log",
    benchmark:
        "logs/benchmarks/corpus_numbers/{corpus}.tsv"
    wildcard_constraints:
        corpus=any_of(CORPUS_NAMES),
    conda:
        "../envs/data.yaml"
    resources:
        mem_mb=memory(2000),
        runtime=minutes(60),
    params:
        numbers=lambda w: CORPORA[w.corpus].fields.numbers,
        code=code("data/corpus_numbers.py", "data"),
    script:
        "../workflow/scripts/data/corpus_numbers.py"


rule corpus_sample:
    """Texts that the base model reads, drawn by their ids."""
    input:
        documents=expand(f"{CORPUS}/documents/{{shard}}.parquet", shard=SHARDS, allow_missing=True),
    output:
        sample=f"{CORPUS}/sample.csv",
    log:
        "logs/corpus_sample/{corpus}.log",
    benchmark:
        "logs/benchmarks/corpus_sample/{corpus}.tsv"
    wildcard_constraints:
        corpus=any_of(CORPUS_NAMES),
    conda:
        "../envs/data.yaml"
    resources:
        mem_mb=memory(2000),
        runtime=minutes(60),
    params:
        documents=CONFIG.corpora.perplexity,
        seed=CONFIG.seed,
        code=code("data/corpus_sample.py", "data"),
    script:
        "../workflow/scripts/data/corpus_sample.py"


rule corpus_perplexity:
    """What the base model finds improbable, in nat per character."""
    input:
        unpack(lambda w: INPUTS.evaluated("base", [0])),
        sample=f"{CORPUS}/sample.csv",
    output:
        perplexity=f"{CORPUS}/perplexity.csv",
    log:
        "logs/corpus_perplexity/{corpus}.log",
    benchmark:
        "logs/benchmarks/corpus_perplexity/{corpus}.tsv"
    wildcard_constraints:
        corpus=any_of(CORPUS_NAMES),
    conda:
        MODELS
    threads: directives.all_cores()
    resources:
        **GPU,
        mem_mb=memory(8000),
        runtime=minutes(120),
    params:
        dtype=CONFIG.train.dtype,
        device=CONFIG.accelerator,
        fallback=CONFIG.accelerator_fallback,
        code=code("data/corpus_perplexity.py", "models"),
    script:
        "../workflow/scripts/data/corpus_perplexity.py"


rule corpus_quality:
    """A page on what a corpus holds, what fell and why, and the same as a table."""
    input:
        measures=expand(f"{SHARD}/measures.parquet", shard=SHARDS, allow_missing=True),
        drops=expand(f"{SHARD}/drops.parquet", shard=SHARDS, allow_missing=True),
        repeats=expand(f"{SHARD}/repeats.parquet", shard=SHARDS, allow_missing=True),
        missing=f"{CORPUS}/missing.csv",
        test=f"{CORPUS}/missing.json",
        imputed=f"{CORPUS}/imputed.csv",
        perplexity=[f"{CORPUS}/perplexity.csv"] if CONFIG.corpora.perplexity else [],
    output:
        table=f"{CORPUS}/quality.csv",
        html=f"{CORPUS}/quality.html",
    log:
        "logs/corpus_quality/{corpus}.log",
    benchmark:
        "logs/benchmarks/corpus_quality/{corpus}.tsv"
    wildcard_constraints:
        corpus=any_of(CORPUS_NAMES),
    conda:
        "../envs/stats.yaml"
    resources:
        mem_mb=memory(2000),
        runtime=minutes(60),
    params:
        about=lambda w: {
            "licences": corpus_list.classes(CORPORA[w.corpus], SOURCES),
            "attribution": "; ".join(corpus_list.credits(CORPORA[w.corpus], SOURCES)),
            "thresholds": CONFIG.corpora.fineweb2.model_dump(),
            "near_duplicate": CONFIG.corpora.near_duplicate,
            "rehearsal": bool(REHEARSED),
        },
        layout=digest_of(LIBRARY / "kensho/report/quality.html.j2"),
        style=digest_of(LIBRARY / "kensho/report/style.css"),
        code=code("data/corpus_quality.py", "stats"),
    script:
        "../workflow/scripts/data/corpus_quality.py"


rule corpus_mixture:
    """Several corpora by weight, in an order of the seed's."""
    input:
        lambda w: expand(
            "results/data/{part}/documents/{shard}.parquet",
            part=CORPORA[w.mixture].mixture,
            shard=SHARDS,
        ),
    output:
        documents=expand(
            "results/data/{mixture}/mixed/{shard}.parquet", shard=SHARDS, allow_missing=True
        ),
        counts="results/data/{mixture}/mixture.csv",
    log:
        "logs/corpus_mixture/{mixture}.log",
    benchmark:
        "logs/benchmarks/corpus_mixture/{mixture}.tsv"
    wildcard_constraints:
        mixture=any_of(MIXTURES),
    conda:
        "../envs/data.yaml"
    resources:
        mem_mb=memory(2000),
        runtime=minutes(240),
    params:
        weights=lambda w: CORPORA[w.mixture].mixture,
        size=lambda w: CORPORA[w.mixture].size,
        unit=lambda w: CORPORA[w.mixture].unit,
        seed=CONFIG.seed,
        code=code("data/corpus_mixture.py", "data"),
    script:
        "../workflow/scripts/data/corpus_mixture.py"


rule corpora:
    """Every corpus and mixture of corpora.make, with a page on each corpus."""
    input:
        in_languages(*expand(f"{CORPUS}/quality.html", corpus=CORPUS_NAMES)),
        expand("results/data/{mixture}/mixture.csv", mixture=MIXTURES),
