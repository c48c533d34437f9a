"""``python -m kensho.bench``: what it cannot or would not use is refused by one line."""

from pathlib import Path

import pytest
from kensho.bench.__main__ import _settings, main
from kensho.bench.catalogue import EXPERIMENTS

ROOT = Path(__file__).parents[2]
REFUSED = {
    "an unknown experiment": (["gem"], "did you mean 'gemm'?"),
    "an unknown input": (
        ["lora_parameters", "--input", "cads=x.yaml"],
        "--input: lora_parameters has no 'cads', did you mean 'cards'?",
    ),
    "an input twice": (
        ["lora_parameters", "--input", "cards=x", "--input", "cards=y"],
        "--input: cards is given twice",
    ),
    "a setting twice": (
        ["lora_parameters", "--set", "ranks=[4]", "--set", "ranks=[8]"],
        "--set: ranks is given twice",
    ),
    "a setting of what is prepared": (
        ["vocabulary", "--set", "pieces=7"],
        "--set: pieces: vocabulary does not read it, expand_vocabulary does",
    ),
    "a setting of a segmenter": (
        ["tokenisation", "--set", "cost=2.0"],
        "--set: cost: tokenisation does not read it, segmentation_model does",
    ),
    "an unknown source": (
        ["token_counts", "--set", "tokenizers=[tokenizer-rina]"],
        "no 'tokenizer-rina' in config/sources.yaml, did you mean 'tokenizer-rinna'?",
    ),
    "no YAML": (["lora_parameters", "--set", "ranks=[4"], "--set: ranks: '[4' is no YAML"),
    "a setting of none": (["mixture_flops", "--set", "x=1"], "mixture_flops has no settings"),
    "an unknown setting": (["lora_parameters", "--set", "rank=4"], "did you mean 'ranks'?"),
    "no pair": (["lora_parameters", "--set", "ranks"], "expected NAME=VALUE"),
}


@pytest.fixture
def refused(tmp_path, monkeypatch):
    """The line that a command ends with; it has written nothing."""
    monkeypatch.chdir(ROOT)

    def line(*arguments, output=tmp_path / "made"):
        before = sorted(tmp_path.rglob("*"))
        with pytest.raises(SystemExit) as ended:
            main([*arguments, "--output", str(output)])
        assert sorted(tmp_path.rglob("*")) == before
        return ended.value.code

    return line


@pytest.mark.parametrize("case", REFUSED)
def test_what_would_not_be_used_is_one_line(refused, case):
    arguments, said = REFUSED[case]
    line = refused(*arguments)
    assert said in line and "\n" not in line


@pytest.mark.parametrize("there", ["lora-r8-q.csv", "folder/lora-r8-q.csv"])
def test_nothing_is_written_beside_or_over_what_is_there(refused, tmp_path, there):
    (tmp_path / there).parent.mkdir(exist_ok=True)
    (tmp_path / there).touch()
    for output in (tmp_path, tmp_path / there):
        line = refused("lora_parameters", "--set", "ranks=[4]", output=output)
        assert line == f"--output: {output} is no empty folder; name a new one"


def test_a_setting_that_only_chooses_inputs_is_taken():
    chosen = _settings(EXPERIMENTS["token_counts"], {"tokenizers": "[tokenizer-rinna]"})
    assert chosen.tokenizers == ["tokenizer-rinna"]
