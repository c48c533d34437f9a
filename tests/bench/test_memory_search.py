import resource
from pathlib import Path

import pytest
import torch
import yaml
from conditions_example import tier
from dying import killed
from kensho.bench import float8, memory_search, memory_trial
from kensho.bench.memory_arms import WAYS
from kensho.bench.run import Run
from kensho.bench.settings import MemorySearch
from kensho.fallback import Killed
from kensho.models.cards import Card, load
from kensho.train.methods import full
from kensho.train.plan import Step
from torch import nn

MIB = 2**20
TINY = Card(
    name="tiny",
    model_type="llama",
    config={
        **{"vocab_size": 64, "hidden_size": 256, "intermediate_size": 1024},
        **{"num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2},
        **{"max_position_embeddings": 512, "tie_word_embeddings": True},
    },
    parameters=None,
    source="test",
    remark="",
)
SETTINGS = MemorySearch(
    card="tiny", layers=2, length=256, arms=["plain", "checkpointing"], limit_bytes=120 * MIB
)


@pytest.mark.parametrize("start", [1, 2, 6, 7, 40])
@pytest.mark.parametrize("most", [0, 1, 6, 13])
def test_search_ends_at_the_boundary(start, most):
    tried = []
    assert memory_search.search(lambda n: tried.append(n) or n <= most, start) == most
    assert len(tried) == len(set(tried)) and min(tried) >= 1


SCALES = ["config/config.yaml", "config/rehearsal.yaml", *map(str, Path("config/scales").glob("*"))]


@pytest.mark.parametrize("path", SCALES)
def test_the_limit_of_a_scale_holds_its_smallest_step(path):
    """With a tenth to spare: trials of one layer peak at 1.07 times what is planned."""
    bench = yaml.safe_load(Path(path).read_text(encoding="utf-8")).get("bench", {})
    settings = MemorySearch.model_validate(bench.get("memory_search", {}))
    card = load(Path("resources/architectures.yaml"))[settings.card]
    trials = memory_search.Trials(card, "plain", settings, Run(Path()))
    smallest = memory_search.Shape(1, settings.length, settings.layers)
    assert 1.1 * trials.planned(smallest) <= settings.limit_bytes


def test_numbers_double_before_they_are_bisected():
    tried = []
    memory_search.search(lambda n: tried.append(n) or n <= 5)
    assert tried == [1, 2, 4, 8, 6, 5]


def kept(way):
    """Bytes that autograd keeps between the passes of one step, and its loss."""
    torch.set_num_threads(1)
    step = Step(full.METHOD, "float32", 4, 64, checkpointing=way == "checkpointing")
    model = memory_trial.build(TINY, step, "cpu")
    memory_trial.prepare(model, way, "cpu")
    own = {p.untyped_storage().data_ptr() for p in model.parameters()}
    sizes = {}

    def note(tensor):
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            sizes[storage.data_ptr()] = storage.nbytes()
        return tensor

    ids = memory_trial.token_ids(TINY, step, "cpu")
    with torch.autograd.graph.saved_tensors_hooks(note, lambda t: t), memory_trial.kept(way, "cpu"):
        loss = model(input_ids=ids, labels=ids).loss
    loss.backward()
    assert all(p.grad is not None for p in model.parameters())
    return sum(sizes.values()), loss.item()


def test_each_way_keeps_less_than_the_plain_one_and_learns_from_the_same_loss():
    plain, loss = kept("plain")
    for way in ("checkpointing", "loss-scaling"):
        less, same = kept(way)
        assert less < plain, way
        assert same == pytest.approx(loss, rel=0.02), way


def test_products_of_fp8_and_their_gradients_are_those_of_float32_to_its_precision():
    torch.manual_seed(1)
    layer, x = nn.Linear(64, 32), torch.randn(3, 16, 64, requires_grad=True)
    of_8_bits, target = float8.Linear(layer, torch.float8_e4m3fn), torch.randn(3, 16, 32)
    found = []
    for one in (layer, of_8_bits):
        layer.zero_grad()
        x.grad = None
        ((one(x) - target) ** 2).sum().backward()
        found.append([one(x).detach(), x.grad, layer.weight.grad, layer.bias.grad])
    for right, rounded in zip(*found, strict=True):
        error = (rounded - right).norm() / right.norm()
        assert 0 <= error < 0.08  # E4M3 rounds to 1/16 of a number, E5M2 to 1/8
    assert not torch.equal(found[0][0], found[1][0])


def test_a_trial_ends_with_its_peak_or_is_refused_memory():
    trials = memory_search.Trials(TINY, "plain", SETTINGS, Run(Path(), threads=1, seed=1))
    small, vast = (trials[memory_search.Shape(batch, 16, 1)] for batch in (1, 100_000))
    assert 0 < small.peak_bytes <= SETTINGS.limit_bytes and small.cause is None
    assert small.parameters == 1_000_192  # one layer of the card, by hand
    assert vast.peak_bytes is None and "Cannot allocate memory" in vast.cause
    assert resource.getrlimit(resource.RLIMIT_DATA)[0] == resource.RLIM_INFINITY  # here


def test_a_limit_that_holds_nothing_is_named():
    small = SETTINGS.model_copy(update={"limit_bytes": 4 * MIB})
    with pytest.raises(ValueError, match="4194304 bytes hold no plain step of B1-L256-N2; raise"):
        memory_search.observe(TINY, small, Run(Path()))


@pytest.fixture(scope="module")
def searched(tmp_path_factory):
    journal = tmp_path_factory.mktemp("search") / "journal.jsonl"
    run = Run(Path(), threads=1, seed=1, journal=journal)
    return run, *memory_search.observe(TINY, SETTINGS, run)


@pytest.mark.slow
def test_the_largest_is_between_a_trial_that_ended_and_one_that_was_refused(searched):
    run, rows, refused = searched
    shape = memory_search.Shape(1, 16, 1)
    least = memory_search.Trials(TINY, "plain", SETTINGS, run._replace(journal=None))[shape]
    # Code that a step loads is resident, and none that the limit counts: all but the tensors of the
    # smallest step, and a quarter more for larger ones.
    code = 1.25 * (least.peak_bytes - 16 * least.parameters)
    assert 0 < code < SETTINGS.limit_bytes / 2
    wide = rows.pivot(index=["arm", "block"], columns="metric", values="value")
    for arm in SETTINGS.arms:
        largest = wide.loc[(arm, "largest")]
        batch = int(largest["largest_batch"])
        assert wide.loc[(arm, f"B{batch}-L256-N2"), "fits"] == 1
        assert wide.loc[(arm, f"B{batch + 1}-L256-N2"), "fits"] == 0
        assert "memory" in refused[f"{arm} B{batch + 1}-L256-N2"]
        peaks, fits = wide.loc[arm]["peak_bytes"], wide.loc[arm]["fits"]
        assert (peaks.notna() == (fits == 1)).all()
        assert (peaks.dropna() <= SETTINGS.limit_bytes + code).all()
    largest = wide.xs("largest", level="block")["largest_batch"]
    assert largest["checkpointing"] > largest["plain"]
    assert set(rows.loc[rows["metric"] == "largest_length", "unit"]) == {"tokens"}


@pytest.mark.slow
def test_a_killed_search_goes_on_with_what_it_tried(searched, monkeypatch):
    run, rows, refused = searched

    def never(*_, **__):
        raise AssertionError("tried again")

    monkeypatch.setattr(memory_search, "interleaved", never)
    again, same = memory_search.observe(TINY, SETTINGS, run)
    assert again.equals(rows) and same == refused
    with pytest.raises(AssertionError, match="tried again"):
        memory_search.observe(TINY, SETTINGS, run._replace(identity=["another code"]))


def test_a_trial_that_others_left_no_memory_is_no_trial_that_its_limit_refused(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(memory_search.memory_trial, "run", killed)
    run = Run(tmp_path, threads=1, journal=tmp_path / "trials.jsonl")
    with pytest.raises(Killed, match=r"before its limit was reached; give the job more memory"):
        memory_search.observe(TINY, SETTINGS, run)
    assert not run.journal.exists()  # it would be taken for a trial next time


def test_a_limit_above_the_free_memory_is_refused_before_anything_is_tried():
    vast = SETTINGS.model_copy(update={"limit_bytes": 10**15})
    with pytest.raises(ValueError, match=r"bench\.memory_search\.limit_bytes: .* free; lower it"):
        memory_search.observe(TINY, vast, Run(Path()))


def test_a_search_of_a_few_layers_is_evidence_of_tier_reduced():
    conditions = memory_search.conditions(TINY, SETTINGS, Run(Path()), {})
    assert tier(conditions, "HuggingFaceTB/SmolLM2-135M-Instruct") == "reduced"
    ways = {line.split()[1] for line in conditions["fallbacks"]}
    assert ways == {*WAYS} - {*SETTINGS.arms}
