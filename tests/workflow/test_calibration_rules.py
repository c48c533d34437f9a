import re
from pathlib import Path

from kensho.stats.models import MODELS

RULES = Path(__file__).parents[2] / "rules/calibration.smk"


def test_every_model_is_calibrated():
    listed = RULES.read_text().split("BAYESIAN_MODELS = [")[1].split("]")[0]
    assert sorted(re.findall(r'"(\w+)"', listed)) == sorted(MODELS)
