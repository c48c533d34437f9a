# Experiments on real models and real text.


rule quick_mode:
    """R-8: an evaluation stage in its plain and its quick form, in interleaved fresh processes."""
    input:
        model=f"results/models/{CONFIG.train.base}",
        train="results/data/train.csv",
        test="results/data/test.csv",
    output:
        work="results/bench/quick_mode/work.json",
        observations=observation_files("quick_mode", ["plain", "quick"]),
    log:
        "logs/quick_mode.log",
    benchmark:
        "logs/benchmarks/quick_mode.tsv"
    conda:
        "../envs/models.yaml"
    threads: 64
    resources:
        mem_mb=memory(4000),
        runtime=minutes(60),
    params:
        settings=CONFIG.bench.quick_mode.model_dump(),
        seed=CONFIG.seed,
        code=code("bench/quick_mode.py", "models"),
    script:
        "../workflow/scripts/bench/quick_mode.py"


rule analysis_mode:
    """R-8: scoring held-out sentences in plain form and in analysis mode, interleaved."""
    input:
        model=f"results/models/{CONFIG.train.base}",
        test="results/data/test.csv",
    output:
        work="results/bench/analysis_mode/work.json",
        observations=observation_files("analysis_mode", ["plain", "analysis"]),
    log:
        "logs/analysis_mode.log",
    benchmark:
        "logs/benchmarks/analysis_mode.tsv"
    conda:
        "../envs/models.yaml"
    threads: 64
    resources:
        mem_mb=memory(4000),
        runtime=minutes(60),
    params:
        settings=CONFIG.bench.analysis_mode.model_dump(),
        seed=CONFIG.seed,
        code=code("bench/analysis_mode.py", "models"),
    script:
        "../workflow/scripts/bench/analysis_mode.py"


rule segmentation_model:
    """R-7: a pointwise segmenter learnt from UniDic's words, in KyTea's format."""
    input:
        train="results/data/train.csv",
        test="results/data/test.csv",
        dictionary="results/sources/unidic-lite/record.json",
        gold=expand(
            "results/sources/{source}/record.json",
            source=[name for name in ["ud-japanese-gsd"] if name in ACCEPTED_SOURCES],
        ),
    output:
        expand("results/bench/tokenisation/{file}", file=["model.bin", "text.txt", "record.json"]),
    log:
        "logs/segmentation_model.log",
    benchmark:
        "logs/benchmarks/segmentation_model.tsv"
    priority: 10  # one thread each: together, before the jobs that take all cores
    conda:
        "../envs/tokenisation.yaml"
    resources:
        mem_mb=memory(2000),
        runtime=minutes(15),
    params:
        settings=CONFIG.bench.tokenisation.model_dump(exclude={"blocks", "seconds"}),
        seed=CONFIG.seed,
        code=code("bench/segmentation_model.py", "tokenisation"),
    script:
        "../workflow/scripts/bench/segmentation_model.py"


rule tokenisation:
    """R-7: characters per second of segmenters, one thread, in interleaved fresh processes."""
    input:
        folder=rules.segmentation_model.output,
        dictionary="results/sources/sudachidict-core/record.json",
    output:
        observation_files("tokenisation", PRODUCED["tokenisation"]),
    log:
        "logs/tokenisation.log",
    benchmark:
        "logs/benchmarks/tokenisation.tsv"
    conda:
        "../envs/tokenisation.yaml"
    threads: 64  # it uses one, and wants the others idle
    resources:
        mem_mb=memory(4000),
        runtime=minutes(30),
    params:
        settings=CONFIG.bench.tokenisation.model_dump(include={"blocks", "seconds"}),
        seed=CONFIG.seed,
        code=code("bench/tokenisation.py", "tokenisation"),
    script:
        "../workflow/scripts/bench/tokenisation.py"


rule medical:
    """R-6: medical questions asked of a base, of it in NF4, and of adapters trained over that."""
    input:
        base=f"results/models/{CONFIG.train.base}",
        record=f"results/models/{CONFIG.train.base}.json",
        subjects=expand("results/sources/{source}/record.json", source=SUBJECTS),
    output:
        observation_files("medical", ["base", "base-nf4", "qlora"]),
    log:
        "logs/medical.log",
    benchmark:
        "logs/benchmarks/medical.tsv"
    conda:
        "../envs/models.yaml"
    threads: 64
    resources:
        **GPU,
        mem_mb=memory(8000),
        runtime=minutes(60),
    params:
        device=CONFIG.accelerator,
        fallback=CONFIG.accelerator_fallback,
        settings=CONFIG.bench.medical.model_dump(exclude={"subjects"}),
        left_out=[
            f"{name} left out: not at hand, or of a licence class that is not accepted"
            for name in CONFIG.bench.medical.subjects
            if name not in SUBJECTS
        ],
        seed=CONFIG.seed,
        task=digest_of(LIBRARY / "kensho/jlce/tasks/jmmlu.yaml"),
        code=code("bench/medical.py", "models"),
    script:
        "../workflow/scripts/bench/medical.py"


rule token_counts:
    """F-3: tokens of parallel Japanese and English sentences, by tokenizer."""
    input:
        models=[f"results/models/{name}" for name in TOKENIZERS if SOURCES[name].kind == "model"],
        records=[
            f"results/sources/{name}/record.json"
            for name in TOKENIZERS
            if SOURCES[name].kind == "tokenizer"
        ],
        pairs="results/data/test.csv",
    output:
        # of the others, those whose source can be had
        observation_files("token_counts", experiment_arms("token_counts")),
    log:
        "logs/token_counts.log",
    benchmark:
        "logs/benchmarks/token_counts.tsv"
    conda:
        "../envs/models.yaml"
    resources:
        mem_mb=memory(4000),
        runtime=minutes(15),
    params:
        judged=experiment_arms("token_counts"),
        refused={
            name: f"licence class {SOURCES[name].licence_class} is not accepted"
            for name in CONFIG.bench.token_counts.tokenizers
            if name not in TOKENIZERS
        },
        code=code("bench/token_counts.py", "models"),
    script:
        "../workflow/scripts/bench/token_counts.py"


rule expand_vocabulary:
    """R-2: the base model with Japanese tokens learnt on the training text."""
    input:
        base=f"results/models/{CONFIG.train.base}",
        train="results/data/train.csv",
    output:
        model=directory("results/bench/vocabulary/expanded"),
        record="results/bench/vocabulary/expanded.json",
    log:
        "logs/expand_vocabulary.log",
    benchmark:
        "logs/benchmarks/expand_vocabulary.tsv"
    conda:
        "../envs/models.yaml"
    resources:
        mem_mb=memory(4000),
        runtime=minutes(15),
    params:
        pieces=CONFIG.bench.vocabulary.pieces,
        code=code("bench/expand_vocabulary.py", "models"),
    script:
        "../workflow/scripts/bench/expand_vocabulary.py"


rule vocabulary:
    """R-2: Japanese characters per second with base and expanded vocabulary, interleaved."""
    input:
        base=f"results/models/{CONFIG.train.base}",
        expanded="results/bench/vocabulary/expanded",
        record="results/bench/vocabulary/expanded.json",
        test="results/data/test.csv",
    output:
        sentences="results/bench/vocabulary/sentences.json",
        observations=observation_files("vocabulary", PRODUCED["vocabulary"]),
    log:
        "logs/vocabulary.log",
    benchmark:
        "logs/benchmarks/vocabulary.tsv"
    conda:
        "../envs/models.yaml"
    threads: 64
    resources:
        **GPU,
        mem_mb=memory(4000),
        runtime=minutes(60),
    params:
        settings=CONFIG.bench.vocabulary.model_dump(exclude={"pieces"}),
        seed=CONFIG.seed,
        device=CONFIG.accelerator,
        fallback=CONFIG.accelerator_fallback,
        code=code("bench/vocabulary.py", "models"),
    script:
        "../workflow/scripts/bench/vocabulary.py"


rule vocabulary_training:
    """F-8: likelihood of base and expanded model before and after equal training steps."""
    input:
        base=f"results/models/{CONFIG.train.base}",
        expanded="results/bench/vocabulary/expanded",
        record="results/bench/vocabulary/expanded.json",
        train="results/data/train.csv",
        test="results/data/test.csv",
    output:
        observation_files("vocabulary_training", PRODUCED["vocabulary_training"]),
    log:
        "logs/vocabulary_training.log",
    benchmark:
        "logs/benchmarks/vocabulary_training.tsv"
    conda:
        "../envs/models.yaml"
    threads: 64
    resources:
        **GPU,
        mem_mb=memory(8000),
        runtime=minutes(60),
    params:
        settings=CONFIG.bench.vocabulary_training.model_dump(),
        device=CONFIG.accelerator,
        fallback=CONFIG.accelerator_fallback,
        code=code("bench/vocabulary_training.py", "models"),
    script:
        "../workflow/scripts/bench/vocabulary_training.py"


rule inference:
    """I-1 to I-4: speed, memory and loss of ways to serve one model, interleaved."""
    input:
        model=f"results/models/{CONFIG.train.base}",
        record=f"results/sources/{CONFIG.train.base}/record.json",
        test="results/data/test.csv",
    output:
        observation_files("inference", PRODUCED["inference"]),
    log:
        "logs/inference.log",
    benchmark:
        "logs/benchmarks/inference.tsv"
    conda:
        "../envs/models.yaml"
    threads: 64
    resources:
        **GPU,
        mem_mb=memory(4000),
        runtime=minutes(60),
    params:
        device=CONFIG.accelerator,
        fallback=CONFIG.accelerator_fallback,
        settings=CONFIG.bench.inference.model_dump(),
        seed=CONFIG.seed,
        accelerator=CONFIG.accelerator,
        code=code("bench/inference.py", "models"),
    script:
        "../workflow/scripts/bench/inference.py"
