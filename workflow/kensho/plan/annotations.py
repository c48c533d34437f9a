"""What `snakemake --report` shows: captions, categories and labels of outputs, by their paths."""

import re
from collections.abc import Callable
from glob import glob
from typing import Any, NamedTuple


class Annotation(NamedTuple):
    """``path`` names the labels in braces; ``caption`` is a file of workflow/report."""

    path: str
    category: str
    title: str
    caption: str
    subcategory: str | None = None


ANNOTATIONS = [
    Annotation("results/{report}_report.html", "Verdicts", "Report", "validation_report"),
    Annotation("results/{summary}_summary.json", "Verdicts", "Summary", "summary"),
    Annotation("results/analysis/{claim}.json", "Verdicts", "Analysis", "analysis", "Claims"),
    Annotation("results/data/drops.csv", "Corpus", "Dropped samples", "drops"),
    Annotation("results/data/augmentation.csv", "Corpus", "Augmentation", "augmentation"),
    Annotation(
        "results/train/{arm}/{number}-{stage}/seed{seed}/steps.csv", "Training", "Steps", "steps"
    ),
    Annotation("results/evaluation/intervals.csv", "Evaluation", "Intervals", "intervals"),
    Annotation("results/evaluation/stages.csv", "Evaluation", "Stages", "stages"),
    Annotation("results/stages.html", "Training", "Recipes", "stages_page"),
    Annotation("results/jlce.html", "JLCE", "Page", "jlce"),
    Annotation("results/domain.html", "Adapted models", "Page", "domain"),
    Annotation("results/tokenisers.html", "Tokenisers", "Page", "tokenisers"),
    Annotation("results/serving/latency.csv", "Serving", "Latency", "latency"),
    Annotation("results/jlce/ranking.json", "JLCE", "Ranking", "ranking"),
    Annotation("results/jlce/{table}.csv", "JLCE", "Table", "jlce_table"),
    Annotation(
        "results/benchmark_data/{experiment}/{arm}.csv",
        *("Observations", "Observations", "observations", "{experiment}"),
    ),
    Annotation("results/calibration/{size}/report.html", "Calibration", "Page", "calibration"),
    Annotation(
        "results/calibration/{size}/{table}.csv", "Calibration", "Table", "calibration_table"
    ),
    Annotation("results/selftest.json", "Calibration", "Self-test of the timing", "selftest"),
]


def of(output: str, within: Callable[[str], Any]) -> dict[str, Any] | None:
    """Arguments of Snakemake's `report` for an output of a rule; None where it is not shown.

    Wildcards of the output go into its labels; ``within`` makes a path of the workflow its file.
    """
    for path, category, title, caption, subcategory in ANNOTATIONS:
        pattern = re.sub(r"{(\w+)}", r"(?P<\1>[^/]+)", path.replace(".", r"\."))
        if match := re.fullmatch(pattern, output):
            return {
                "caption": within(f"workflow/report/{caption}.rst"),
                "category": category,
                "subcategory": subcategory and subcategory.format(**match.groupdict()),
                "labels": {"result": title, **match.groupdict()},
            }
    return None


def made() -> list[str]:
    """Files of this folder that are shown."""
    patterns = [re.sub(r"{\w+}", "*", annotation.path) for annotation in ANNOTATIONS]
    return [path for pattern in patterns for path in sorted(glob(pattern))]
