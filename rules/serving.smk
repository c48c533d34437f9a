# What the experiment `serving` observed of requests, as percentiles.
SERVING = observation_files("serving", PLAN.arms["serving"])


rule serving_latency:
    """Percentiles of latency, throughput and unchanged answers, by arm and load."""
    input:
        SERVING,
    output:
        "results/serving/latency.csv",
    log:
        "logs/serving_latency.log",
    conda:
        "../envs/stats.yaml"
    params:
        code=code("stats/serving_latency.py", "stats"),
    script:
        "../workflow/scripts/stats/serving_latency.py"


rule serving_study:
    """Ways to serve a model (B 3.2, S-1 to S-5), judged on the same page; needs vLLM."""
    input:
        in_languages(*REPORT),
        rules.serving_latency.output if PLAN.stage == "whole" else [],
