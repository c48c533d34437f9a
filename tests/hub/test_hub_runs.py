"""`snakemake lock`, the fetching rule and preflight, against twins under the claims' own names."""

import sys
from pathlib import Path

import pytest
import yaml
from hub_server import Repository
from kensho.data import hub
from kensho.files import read_json
from kensho.models import lock

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tests" / "workflow"))
from leftovers import TOKEN, holders  # noqa: E402  modules of another folder of tests
from planning import copied, snakemake  # noqa: E402

SMALL = {
    "vocab_size": 258, "hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2,
    "num_attention_heads": 4, "max_position_embeddings": 128,
}  # fmt: skip
TWINS = {
    "deepseek-ai/DeepSeek-R1-Distill-Qwen-1.5B": ("qwen2", {"num_key_value_heads": 2}),
    "tokyotech-llm/Swallow-7b-hf": ("llama", {}),
    "meta-llama/Llama-2-7b-hf": ("llama", {}),
    "Rakuten/RakutenAI-7B": ("mistral", {"num_key_value_heads": 2}),
}
GATED = "meta-llama/Llama-2-7b-hf"
MODEL, HUB = "r1-distill-qwen-1.5b", "deepseek-ai/DeepSeek-R1-Distill-Qwen-1.5B"
PICKLED = "cyberagent/open-calm-1b"


def twin(folder, model_type, more):
    """Files of a two-layer model with random weights, in shards, and of a tokenizer."""
    import torch
    from tokenizers import Tokenizer, models
    from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedTokenizerFast

    torch.manual_seed(len(str(folder)))
    config = AutoConfig.for_model(model_type, **SMALL, **more)
    model = AutoModelForCausalLM.from_config(config)
    model.save_pretrained(folder, max_shard_size="100KB")
    words = Tokenizer(models.WordLevel({chr(n): n for n in range(256)}, unk_token=chr(0)))
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=words)
    tokenizer.chat_template = "{{ messages }}"
    tokenizer.save_pretrained(folder)
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture(scope="module")
def twins(tmp_path_factory):
    parent = tmp_path_factory.mktemp("twins")
    return {name: twin(parent / name, *kind) for name, kind in TWINS.items()}


@pytest.fixture
def started(hub_server, twins, tmp_path):
    """Runs Snakemake in a copy of the code; the hub's cache and the token are the test's own."""
    for name, files in twins.items():
        assert sum(path.endswith(".safetensors") for path in files) > 1
        hub_server.repositories[name] = Repository(files)
    hub_server.repositories[GATED].gated = True
    hub_server.repositories[PICKLED] = Repository(
        {"config.json": b"{}", "pytorch_model.bin": b"pickle"}
    )
    folder = tmp_path / "code"
    folder.mkdir()
    copied(folder)
    written = yaml.safe_load((folder / "config/config.yaml").read_text(encoding="utf-8"))
    overlay = {
        "licences": [*written["licences"], "llama-licence"],
        "paths": {"models": str(tmp_path / "hub")},
    }
    (folder / "own.yaml").write_text(yaml.safe_dump(overlay), encoding="utf-8")
    environment = {"HF_ENDPOINT": hub_server.url, "HF_HOME": str(tmp_path / "home")}

    def run(*targets, **more):
        command = ["--quiet", "rules", "--configfile", "own.yaml", "--", *targets]
        return snakemake(folder, *command, **{**environment, **more})

    run.folder = folder
    return run


def log(started, rule):
    """Lines of a rule's log by the model that they begin with."""
    text = (started.folder / f"logs/{rule}.log").read_text(encoding="utf-8")
    return dict(line.split(": ", 1) for line in text.splitlines() if ": " in line)


@pytest.mark.hub
def test_models_are_locked_fetched_and_said_to_have_moved(started, hub_server, twins, tmp_path):
    first = started("lock")
    assert first.returncode == 0, first.stdout
    written = started.folder / lock.PATH
    locked, faults = lock.load(written)
    assert {*locked} == {*TWINS} - {GATED} and faults == []
    said = log(started, "lock")
    assert said[MODEL].startswith("locked at ")
    assert "is gated" in said["llama-2-7b"] and "set HF_TOKEN" in said["llama-2-7b"]
    assert "only pickles" in said["open-calm-1b"] and "no repository" in said["qwen2.5-7b"]
    assert "set `hub`" in said["swallow-8b"] and "model-licence" in said["lfm2-350m"]

    fetched = started(f"results/models/{MODEL}.json")
    assert fetched.returncode == 0, fetched.stdout
    record = read_json(started.folder / f"results/models/{MODEL}.json")
    assert (record["hub"], record["revision"]) == (HUB, locked[HUB].commit)
    assert (record["weights"], record["as_card"]) == ("other", False)  # of another hub, and narrow
    folder = Path(record["path"]).expanduser()
    assert folder.is_relative_to(tmp_path / "hub")
    assert {p.name: p.read_bytes() for p in folder.iterdir()} == {
        path: content for path, content in twins[HUB].items() if path in locked[HUB].files
    }
    same_as(folder, tmp_path, twins[HUB])

    before = written.read_bytes()
    hub_server.repositories[HUB].commit({**twins[HUB], "generation_config.json": b"{}"})
    looked = started("preflight")
    assert looked.returncode == 0, looked.stdout
    assert f"{HUB} has moved from {locked[HUB].commit[:12]}" in looked.stdout
    assert "not locked: " in looked.stdout and written.read_bytes() == before
    again = started("lock", HF_TOKEN=TOKEN)
    assert again.returncode == 0, again.stdout
    said = log(started, "lock")
    assert said[MODEL].startswith("moved from ") and said["swallow-7b"] == "unchanged"
    assert said["llama-2-7b"].startswith("locked at ")
    assert {*lock.load(written)[0]} == {*TWINS}
    assert started(f"results/models/{MODEL}.json").returncode == 0
    record = read_json(started.folder / f"results/models/{MODEL}.json")
    assert record["revision"] == hub_server.repositories[HUB].head
    assert TOKEN not in again.stdout and not [*holders(started.folder / "logs", [TOKEN])]

    before = written.read_bytes()
    down = started("lock", HF_ENDPOINT="http://127.0.0.1:9")
    assert down.returncode == 1 and "nothing was written" in down.stdout
    assert "cannot be reached" in down.stdout and written.read_bytes() == before


def same_as(folder, parent, files):
    """The fetched folder loads offline, with the weights that were served."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    served = parent / "served"
    served.mkdir()
    for path, content in files.items():
        (served / path).write_bytes(content)
    one, other = (AutoModelForCausalLM.from_pretrained(f) for f in (folder, served))
    for (name, here), there in zip(one.named_parameters(), other.parameters(), strict=True):
        assert here.equal(there), name
    assert AutoTokenizer.from_pretrained(folder).chat_template == "{{ messages }}"


@pytest.mark.hub
def test_a_model_that_is_not_locked_or_not_accepted_is_refused_before_a_job(started):
    for model, part in {
        MODEL: "run `snakemake --profile local lock`",
        "lfm2-350m": "add model-licence to licences if you accept it",
    }.items():
        done = started(f"results/models/{model}.json")
        assert done.returncode == 1 and part in done.stdout, done.stdout


@pytest.mark.hub
def test_an_offline_user_stays_offline(started, hub_server):
    done = started("lock", HF_HUB_OFFLINE="1")
    assert done.returncode == 1 and not hub_server.seen, done.stdout
    assert hub.endpoint() == hub_server.url
