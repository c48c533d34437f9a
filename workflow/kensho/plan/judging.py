"""What the target `judging` reads and observes, by its section of the configuration."""

from pathlib import Path

from kensho.evaluate.catalogue import TASKS as FOLDER
from kensho.judging.items import MT, OF_D1
from kensho.judging.settings import Judging
from kensho.plan.config import Config

TASKS = [FOLDER / f"judged_{kind}.yaml" for kind in ("translation", "question")]
# What items come of sources: dialogues, and open questions by the name of their set.
QUESTIONS = {
    "elyza-tasks-100": "shaberi-elyza-before",
    "rakuda": "shaberi-rakuda-before",
    "tengu-bench": "shaberi-tengu-before",
    "ja-mt-bench": "shaberi-mt-bench-before",
}
SETS = {"bsd": "dialogues", **{source: name for name, source in QUESTIONS.items()}}
ARMS = {
    "translation_preference": ["before", "after", "after-before", "ladder", "judges"],
    "marks": ["before", "after", "judges"],
}
NO_JUDGE = "needs a judge: name one in judging.judges (docs/judging.md)"
# Options that would test what has no judge, and what needs llm-jp-eval's sets with their scores.
JUDGE = """'judging={judges: [{name: judge, url: "http://HOST:8000/v1", model: MODEL}]}'"""
PREPARED = "'judging={llm_jp_eval: FOLDER, comet: TABLE}'"


def arms(config: Config) -> dict[str, list[str]]:
    """Arms of each experiment of the target."""
    judged = ARMS if config.judging.judges else {name: [] for name in ARMS}
    return {"translation": ["before", "after", *writers(config)[2:]], **judged}


def writers(config: Config) -> list[str]:
    """Arms of the evaluation that translate: after, before, and the fixed set."""
    own = config.judging
    after = own.after or next((arm.name for arm in config.train.arms), "base")
    references = [n for n in config.evaluate.references if n not in (after, own.before)]
    return [after, own.before, *(references if own.anchors is None else own.anchors)]


def sources(own: Judging) -> list[str]:
    """Sources of which items come."""
    return ["bsd", *(QUESTIONS[name] for name in own.sets)]


def prepared(own: Judging) -> list[str]:
    """Files of llm-jp-eval's sets: those of D-1, and of the others what there is."""
    if own.llm_jp_eval is None:
        return []
    files = {name: Path(own.llm_jp_eval, f"{name}.json") for name in MT}
    return [str(path) for name, path in files.items() if name in OF_D1 or path.is_file()]


def away(own: Judging) -> list[str]:
    """Brought files that are not there, each with its key and the mend."""
    keys = {path: "llm_jp_eval" for path in prepared(own)}
    keys |= {own.comet: "comet"} if own.comet else {}
    return [
        f"judging.{key}: no file {path}; bring it (docs/judging.md), or set the key to null"
        for path, key in keys.items()
        if not Path(path).is_file()
    ]


def absent(own: Judging) -> dict[str, str]:
    """Why metrics of translations could not be had where no row observes them."""
    sets = " and ".join(OF_D1)
    if own.llm_jp_eval is None:
        why = f"needs llm-jp-eval's sets {sets}: name their folder in judging.llm_jp_eval"
    elif own.comet is None:
        why = "needs COMET's scores of these answers: name the table in judging.comet"
    else:
        why = f"needs COMET's scores of {sets}: {own.comet} lacks one; add it"
    return {"comet_mt": f"{why} (docs/judging.md)"}


def without(own: Judging) -> dict[str, str]:
    """Metrics of translations that these settings cannot observe, each with the reason."""
    return {} if own.llm_jp_eval and own.comet else absent(own)
