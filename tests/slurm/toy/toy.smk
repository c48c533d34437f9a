# Slow writers in two layers, a joiner, and single jobs; toy.yaml says how many and how slow.
import yaml

TOY = yaml.safe_load(Path("toy.yaml").read_text())


def toy(name):
    return {
        **{key: TOY[key] for key in ("seconds", "kilobytes", "in_place")},
        **TOY["rules"].get(name, {}),
    }


rule all:
    input:
        "results/toy/joined.txt",


rule part:
    output:
        "results/toy/part-{n}.txt",
    log:
        "logs/toy/part-{n}.log",
    params:
        **toy("part"),
        code=code("toy/write.py", "data"),
    script:
        "workflow/scripts/toy/write.py"


rule middle:
    input:
        "results/toy/part-{n}.txt",
    output:
        "results/toy/middle-{n}.txt",
    log:
        "logs/toy/middle-{n}.log",
    params:
        **toy("middle"),
        code=code("toy/write.py", "data"),
    script:
        "workflow/scripts/toy/write.py"


rule joined:
    input:
        expand("results/toy/middle-{n}.txt", n=range(TOY["parts"])),
    output:
        "results/toy/joined.txt",
    log:
        "logs/toy/joined.log",
    params:
        **toy("joined"),
        code=code("toy/write.py", "data"),
    script:
        "workflow/scripts/toy/write.py"


rule long:
    """Longer than its first time limit."""
    output:
        "results/toy/long.txt",
    log:
        "logs/toy/long.log",
    resources:
        runtime=minutes(1),
    params:
        **toy("long"),
        code=code("toy/write.py", "data"),
    script:
        "workflow/scripts/toy/write.py"


rule gpus:
    output:
        "results/toy/gpus.txt",
    log:
        "logs/toy/gpus.log",
    resources:
        gpu=4,
        gpu_model="mi300x",
    params:
        **toy("gpus"),
        code=code("toy/write.py", "data"),
    script:
        "workflow/scripts/toy/write.py"
