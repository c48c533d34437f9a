"""Where the results of an arm's stages lie: what arms have in common is trained once."""

import json

from kensho.plan.config import Config
from kensho.plan.work import base


def folders(config: Config) -> dict[str, list[str]]:
    """Folder of each stage of each trained arm, below results/train: `arm/number-stage`.

    Arms that begin with one base and equal stages read these of the first of them, in the order of
    the configuration, so that nothing is trained twice.
    """
    first: dict[str, str] = {}
    placed: dict[str, list[str]] = {}
    for arm in config.train.trained:
        begun = [base(config, arm.name)]
        for number, stage in enumerate(arm.stages, start=1):
            begun.append(stage.model_dump_json())
            own = first.setdefault(json.dumps(begun), f"{arm.name}/{number}-{stage.stage}")
            placed.setdefault(arm.name, []).append(own)
    return placed


def stage_before(config: Config, arm: str) -> str | None:
    """The first arm that is this one without its last stage; None where none is."""
    placed = folders(config)
    return next((name for name, own in placed.items() if own == placed[arm][:-1]), None)
