# Sources, models in plain form, and the corpus with its splits.


rule fetch:
    """One pinned file from the first place that has it."""
    output:
        record="results/sources/{source}/record.json",
    log:
        "logs/fetch/{source}.log",
    retries: 2
    conda:
        "../envs/data.yaml"
    container:
        None  # what it fetches from and keeps lies outside what an image sees
    params:
        source=lambda w: fingerprint(SOURCES[w.source].model_dump()),
        mirror=lambda w: fingerprint(str(RUN.mirror)) if SOURCES[w.source].optional else None,
        code=code("data/fetch.py", "data"),
    script:
        "../workflow/scripts/data/fetch.py"


rule lock:
    """Ask the hub for commit and hashes of every model; write config/models.lock.yaml."""
    log:
        "logs/lock.log",
    conda:
        MODELS
    container:
        None  # what it asks and writes lies outside what an image sees
    params:
        models={name: model.model_dump(exclude={"folder"}) for name, model in RUN.models.items()},
        licences=CONFIG.licences,
    script:
        "../workflow/scripts/data/lock.py"


rule fetch_model:
    """Every locked file of one of the hub's models, checked; they stay in the hub's cache."""
    output:
        model="results/models/{model}.json",
    log:
        "logs/fetch_model/{model}.log",
    wildcard_constraints:
        model=any_of(name for name, model in RUN.models.items() if not model.files),
    retries: 2
    conda:
        MODELS
    container:
        None  # what it fetches from and keeps lies outside what an image sees
    params:
        entry=lambda w: RUN.model(w.model)["entry"],
        card=lambda w: RUN.model(w.model)["card"],
        locked=lambda w: RUN.locked(w.model),
        folder=lambda w: fingerprint(RUN.models[w.model].folder),
        code=code("data/fetch_model.py", "models"),
    script:
        "../workflow/scripts/data/fetch_model.py"


rule convert_model:
    """GGUF to verified safetensors, once."""
    input:
        record=lambda w: f"results/sources/{RUN.models[w.model].files['gguf']}/record.json",
    output:
        weights=directory("results/models/{model}"),
        model="results/models/{model}.json",
    log:
        "logs/convert_model/{model}.log",
    benchmark:
        "logs/benchmarks/convert_model/{model}.tsv"
    wildcard_constraints:
        model=any_of(name for name, model in RUN.models.items() if "gguf" in model.files),
    priority: 10  # one thread each: together, before the jobs that take all cores
    conda:
        MODELS
    resources:
        mem_mb=memory(6000),
        runtime=minutes(20),
    params:
        entry=lambda w: RUN.model(w.model)["entry"],
        card=lambda w: RUN.model(w.model)["card"],
        code=code("data/convert_model.py", "models"),
    script:
        "../workflow/scripts/data/convert_model.py"


rule make_twin:
    """In a rehearsal: the architecture of a model, narrow and with random weights."""
    output:
        weights=directory("results/models/{model}"),
        model="results/models/{model}.json",
    log:
        "logs/make_twin/{model}.log",
    wildcard_constraints:
        model=any_of(name for name, model in RUN.models.items() if "twin" in model.files),
    conda:
        MODELS
    params:
        entry=lambda w: RUN.model(w.model)["entry"],
        card=lambda w: RUN.model(w.model)["card"],
        seed=CONFIG.seed,
        code=code("data/make_twin.py", "models"),
    script:
        "../workflow/scripts/data/make_twin.py"


rule prepare_corpus:
    """Clean, remove near-duplicates, split; every drop is counted."""
    input:
        record=f"results/sources/{CONFIG.data.source}/record.json",
    output:
        train="results/data/train.csv",
        test="results/data/test.csv",
        attested="results/data/attested.csv",
        drops="results/data/drops.csv",
    log:
        "logs/prepare_corpus.log",
    benchmark:
        "logs/benchmarks/prepare_corpus.tsv"
    priority: 10  # one thread each: together, before the jobs that take all cores
    conda:
        "../envs/data.yaml"
    resources:
        mem_mb=memory(4000),
        runtime=minutes(15),
    params:
        data=CONFIG.data.model_dump(),
        seed=CONFIG.seed,
        code=code("data/prepare_corpus.py", "data"),
    script:
        "../workflow/scripts/data/prepare_corpus.py"


rule attested_pairs:
    """The sentences that words are taken from, with their English sides."""
    input:
        record=f"results/sources/{CONFIG.data.source}/record.json",
        attested="results/data/attested.csv",
    output:
        "results/data/attested_pairs.csv",
    log:
        "logs/attested_pairs.log",
    conda:
        "../envs/data.yaml"
    resources:
        mem_mb=memory(4000),
        runtime=minutes(15),
    params:
        code=code("data/attested_pairs.py", "data"),
    script:
        "../workflow/scripts/data/attested_pairs.py"
