"""Files of one's own tasks: what would be asked or filed as another task is refused by one line."""

import re
import shutil

import pytest
from kensho.jlce import catalogue, items
from kensho.run import digest

POLARITY = """include: sentiment.yaml
task: jlce_polarity
metadata: {version: 1.0, group: Semantic, place: 5, title: Polarity, main: balanced_acc}
"""


@pytest.fixture
def pack(tmp_path, monkeypatch):
    """A copy of the library whose task files are read."""
    library = shutil.copytree(catalogue.LIBRARY, tmp_path / "kensho")
    folder = library / "jlce/tasks/jlce"
    monkeypatch.setattr(catalogue, "LIBRARY", library)
    monkeypatch.setattr(catalogue, "PACK", folder)
    monkeypatch.setattr(digest, "LIBRARY", library)
    catalogue.tasks.cache_clear()
    yield folder
    catalogue.tasks.cache_clear()


def test_a_task_of_ones_own_is_one(pack):
    (pack / "polarity.yaml").write_text(POLARITY, encoding="utf-8")
    assert catalogue.tasks()["polarity"].kind == "sentiment"
    assert catalogue.scorer("polarity") == "kensho.jlce.metrics:choice"


REFUSED = {
    "the name of the included task": (
        "polarity.yaml",
        POLARITY.replace("task: jlce_polarity\n", ""),
        "write `task: jlce_polarity`",
    ),
    "the name of another task": (
        "polarity.yaml",
        POLARITY.replace("jlce_polarity", "jlce_sentiment"),
        "write `task: jlce_polarity`",
    ),
    "a further prompt of another name": (
        "sentiment_2.yaml",
        "include: sentiment.yaml\ntask: jlce_sentiment_3\n",
        "write `task: jlce_sentiment_2`",
    ),
    "a fourth prompt": (
        "sentiment_4.yaml",
        "include: sentiment.yaml\ntask: jlce_sentiment_4\n",
        "rename it",
    ),
    "a prompt of no task": (
        "grade_2.yaml",
        POLARITY.replace("polarity", "grade_2"),
        "rename it",
    ),
    "a prompt of a prompt": (
        "sentiment_2_3.yaml",
        POLARITY.replace("polarity", "sentiment_2_3"),
        "rename it",
    ),
    "a blank": (
        "my task.yaml",
        POLARITY.replace("polarity", "my task"),
        "rename it, to small letters, digits and _ alone",
    ),
    "an unknown kind": (
        "polarity.yaml",
        POLARITY + "dataset_kwargs: {kind: sentimnt}\n",
        "no kind of item 'sentimnt', did you mean 'sentiment'?",
    ),
    "an unknown metric": (
        "polarity.yaml",
        POLARITY.replace("balanced_acc", "accc"),
        "main: no metric 'accc' of single items in metric_list, did you mean 'acc'?",
    ),
    "a metric of all items": (
        "polarity.yaml",
        POLARITY.replace("sentiment", "translation").replace("balanced_acc", "bleu"),
        "main: no metric 'bleu' of single items in metric_list, known: chrf",
    ),
    "a scorer of another place": (
        "polarity.yaml",
        POLARITY + "process_results: !function mine.score\n",
        "no module of the library has 'mine.score'",
    ),
    "a function that no module has": (
        "polarity.yaml",
        POLARITY + "process_results: !function kensho.jlce.metrics.choise\n",
        "no module of the library has 'kensho.jlce.metrics.choise'",
    ),
    "a function without a module": (
        "polarity.yaml",
        POLARITY + "process_results: !function score\n",
        "no module of the library has 'score'",
    ),
    "a file that is not there": (
        "polarity.yaml",
        POLARITY.replace("sentiment.yaml", "sentimnt.yaml"),
        "include: sentimnt.yaml: name one file",
    ),
    "itself": ("polarity.yaml", POLARITY.replace("sentiment.yaml", "polarity.yaml"), "itself"),
    "no YAML": ("polarity.yaml", POLARITY + "tag: [\n", "not readable as a task"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_file_that_is_no_task_is_one_line_with_the_mend(pack, case):
    name, text, mend = REFUSED[case]
    (pack / name).write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=rf"\A.*\.yaml: .*{re.escape(mend)}.*\Z"):
        catalogue.tasks()


def test_kinds_are_those_of_items():
    assert tuple(items.KINDS) == catalogue.KINDS


def test_a_prompt_that_a_task_lacks_is_one_line(pack):
    (pack / "polarity.yaml").write_text(POLARITY, encoding="utf-8")
    assert catalogue.without_prompt(["sentiment", "polarity"], [1]) == []
    [line] = catalogue.without_prompt(["sentiment", "polarity"], [1, 2])
    assert "'polarity'" in line and "polarity_2.yaml" in line and "jlce.tasks" in line


def test_all_that_a_task_is_made_of_is_in_its_digests(pack):
    def digests():
        code = digest.code_digest(
            catalogue.LIBRARY / "jlce/run.py", None, *catalogue.functions(["polarity"], [1])
        )
        return catalogue.digests(["polarity"], [1]), code

    mine = POLARITY.replace("sentiment", "middle")
    mine += "process_results: !function kensho.jlce.mine.score\n"
    (pack / "polarity.yaml").write_text(mine, encoding="utf-8")
    (pack / "middle.yaml").write_text(
        POLARITY.replace("polarity", "middle").replace("place: 5", "place: 6"), encoding="utf-8"
    )
    (pack.parents[1] / "mine.py").write_text("from kensho.jlce.near import score\n")
    (pack.parents[1] / "near.py").write_text("def score(doc, results):\n    return {'acc': 1.0}\n")
    assert "polarity" in catalogue.tasks()
    before = digests()
    included = pack / "sentiment.yaml"
    included.write_text(included.read_text("utf-8").replace("num_fewshot: 4", "num_fewshot: 3"))
    files, code = digests()
    assert files != before[0] and code == before[1]
    digest._module.cache_clear()
    (pack.parents[1] / "near.py").write_text("def score(doc, results):\n    return {'acc': 0.0}\n")
    assert digests()[1] != code


def test_the_main_metric_of_a_task_is_told_to_the_items(pack):
    before = catalogue.scored(["nli", "style"])
    assert [*before] == [name for name in catalogue.tasks() if name in ("nli", "style")]
    path = pack / "nli.yaml"
    path.write_text(path.read_text("utf-8").replace("main: balanced_acc", "main: acc"))
    catalogue.tasks.cache_clear()
    assert catalogue.scored(["nli", "style"]) == {
        **before,
        "nli": {**before["nli"], "main": "acc"},
    }
