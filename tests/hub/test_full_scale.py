"""The shipped full scale, its models served as twins under their own names.

Nothing is laid over it but an accelerator, a place for the models, and sizes.
"""

import hashlib
import json
import sys
from pathlib import Path

import pytest
import torch
import yaml
from hub_server import Repository
from kensho.claims.model import Scope
from kensho.data import hub, sources
from kensho.fallback import TIERS
from kensho.files import read_json, sha256
from kensho.messages import site
from kensho.models import bases, cards, catalogue, lock, twins
from kensho.models.cards import Card
from kensho.models.catalogue import Model
from kensho.observations.ran import Ran
from kensho.observations.tier import Arm, derive
from kensho.plan import domain
from kensho.plan.check import check, named_models
from safetensors.torch import save
from snakemake.utils import update_config

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tests" / "workflow"))
from leftovers import TOKEN  # noqa: E402  modules of another folder of tests
from planning import copied, snakemake  # noqa: E402

SCALE = "config/scales/full.yaml"
SOURCES, _ = sources.load(ROOT / "config/sources.yaml")
CARDS = cards.load(ROOT / "resources/architectures.yaml")
MODELS, _ = catalogue.load(ROOT / "config/models.yaml", SOURCES, CARDS)


def read(path):
    return yaml.safe_load((ROOT / path).read_text(encoding="utf-8"))


def configured():
    raw = read("config/config.yaml")
    update_config(raw, read(SCALE))
    config, faults = check(raw, SOURCES, MODELS, CARDS)
    assert faults == []
    return config


CONFIG = configured()
HUBS = {
    name: MODELS[name].hub
    for name in dict.fromkeys(name for _, name in named_models(CONFIG))
    if not MODELS[name].files
}
ARMS = {arm.name: arm.base or CONFIG.train.base for arm in CONFIG.train.arms}
FIRST = {ARMS[name]: name for name in reversed(ARMS)}  # arm of each model that is trained
GATED, MOVED, CUT = "llama-2-7b", "swallow-7b", "deepseek-llm-7b"  # R-2.speed rests on all three
WIDE = {"changes": {"intermediate_size": 2**15}, "shard_bytes": 26_000_000}
QUESTIONS = "jmmlu-anatomy"
EVALUATED = "results/benchmark_data/evaluation"


def overlay(folder):
    """The sizes of a rehearsal, but for a corpus of as many samples as an arm takes."""
    small = read("config/rehearsal.yaml")
    del small["bench"]["training_memory"]  # its cards are names
    most = max(stage.samples or 0 for arm in CONFIG.train.arms for stage in arm.stages)
    return small | {
        "accelerator": "none",
        "data": {"pool": 2 * most + 2000, "train": most, "test": 60},
        "augmentation": {"target": most},
        "paths": {"models": str(folder / "hub"), "mirror": str(folder / "mirror")},
    }


@pytest.fixture(scope="module")
def served_files(tmp_path_factory):
    """Files of each model of the scale by name: a twin of its card's architecture."""
    parent, made = tmp_path_factory.mktemp("twins"), {}
    for seed, name in enumerate(HUBS):
        model = MODELS[name]
        kind = CARDS[model.card].model_type if model.card else twins.BY_ROLE[model.role][0]
        folder = twins.make(
            kind,
            parent / name,
            seed=seed,
            chat_template=bases.CHAT if model.chat == "template" else None,
            **(WIDE if name == CUT else {}),
        )
        made[name] = {path.name: path.read_bytes() for path in folder.iterdir()}
        assert sum(path.endswith(".safetensors") for path in made[name]) > 1
    return made


@pytest.fixture
def repositories(hub_server, served_files):
    """By the name of the model."""
    made = {name: Repository(files) for name, files in served_files.items()}
    made[GATED].gated = True
    hub_server.repositories |= {HUBS[name]: repository for name, repository in made.items()}
    return made


@pytest.fixture
def started(hub_server, repositories, tmp_path):
    """Runs the full scale in a copy of the code; everything that is fetched of models is here."""
    folder = tmp_path / "code"
    folder.mkdir()
    copied(folder)
    (folder / "sizes.yaml").write_text(yaml.safe_dump(overlay(tmp_path)), encoding="utf-8")

    def run(*targets, timeout=300, token=TOKEN):
        flags = ["--quiet", "rules", "--max-threads", "1", "--configfile", SCALE, "sizes.yaml"]
        return snakemake(
            folder,
            *flags,
            "--",
            *targets,
            timeout=timeout,
            HF_ENDPOINT=hub_server.url,
            HF_HOME=str(tmp_path / "home"),
            **dict.fromkeys(["KENSHO_MIRROR", "KENSHO_MODELS"], ""),  # the overlay's count
            **({"HF_TOKEN": token} if token else {}),
        )

    run.folder = folder
    return run


@pytest.fixture
def locked(started):
    done = started("lock")
    assert done.returncode == 0, done.stdout
    locks, faults = lock.load(started.folder / lock.PATH)
    assert {*locks} == {*HUBS.values()} and faults == []
    return {name: locks[hub_name] for name, hub_name in HUBS.items()}


def fetched(name):
    return f"results/models/{name}.json"


def weak(tier):
    return TIERS.index(tier) >= TIERS.index("reduced")


@pytest.fixture
def run_through(started, repositories, hub_server, locked):
    """Makes the analyses of claims, and more, while one repository moves and another breaks off.

    Nothing that it leaves counts for more than the twins that it ran on.
    """

    def run(claims, more, models, timeout):
        repositories[MOVED].commit({"config.json": b"{}"})
        repositories[CUT].cut = 1
        targets = [f"results/analysis/{claim}.json" for claim in claims]
        done = started(*targets, *more, timeout=timeout)
        assert done.returncode == 0, done.stdout[-6000:]
        assert any(HUBS[CUT] in path and begin for _, path, begin in hub_server.seen)  # resumed
        looked_through(started.folder, locked, models, claims)

    run.folder = started.folder
    return run


def looked_through(folder, locked, models, claims):
    records = {path.stem: read_json(path) for path in folder.glob(fetched("*"))}
    assert {*records} == {*models}
    for name, record in records.items():
        assert (record["weights"], record["as_card"]) == ("twin", False)
        assert (record["hub"], record["revision"]) == (HUBS[name], locked[name].commit)
        assert {(path, locked[name].files[path].sha256) for path in record["files"]} == {
            *record["files"].items()
        }
    observed = [*folder.glob("results/benchmark_data/*/*.conditions.json")]
    assert observed and all(weak(read_json(path)["tier"]) for path in observed)
    analyses = {path.stem: read_json(path) for path in folder.glob("results/analysis/*.json")}
    assert {*analyses} == {*claims}
    for analysis in analyses.values():
        assert weak(analysis["tier"])
        assert analysis["verdict"] in ("PARTIAL", "INCONCLUSIVE", "NOT TESTED")


def test_the_scale_uses_the_models_of_the_claims_and_has_cards_of_all():
    assert len({*HUBS.values()}) >= 14 and None not in HUBS.values()
    without = {name for name in HUBS if MODELS[name].card is None}
    assert {MODELS[name].card for name in HUBS} - {None} <= {*CARDS}
    assert {MODELS[name].role for name in without} <= {*twins.BY_ROLE}
    assert {GATED, MOVED, CUT} <= {*HUBS}


def words(value):
    """Strings of nested lists and mappings, keys left out."""
    if isinstance(value, dict | list):
        inner = value.values() if isinstance(value, dict) else value
        return {word for one in inner for word in words(one)}
    return {value} if isinstance(value, str) else set()


def test_the_overlay_names_neither_model_nor_arm():
    sizes = overlay(Path("folder"))
    assert "arms" not in sizes["train"] and "none" in words(sizes)
    assert not words(sizes) & {*MODELS, *ARMS, *HUBS.values()}


@pytest.mark.hub
@pytest.mark.slow
@pytest.mark.timeout(900)
def test_models_of_the_hub_are_locked_fetched_trained_evaluated_and_judged(run_through):
    arm = FIRST["lfm2-350m"]
    models = {GATED, MOVED, CUT, "open-calm-1b", "lfm2-350m"}
    run_through(
        ["R-2.speed", "R-5.memory", "R-5.retention"], [f"{EVALUATED}/{arm}.csv"], models, 850
    )


@pytest.mark.hub
@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_every_model_of_the_scale_is_trained_evaluated_and_judged(run_through, tmp_path):
    with_questions(run_through.folder, tmp_path / "mirror")
    more = [
        *(f"results/benchmark_data/training/{arm}.csv" for arm in FIRST.values()),
        *(f"{EVALUATED}/{arm}.csv" for arm in ["base", *CONFIG.evaluate.references]),
        f"results/benchmark_data/jlce/{FIRST['r1-distill-qwen-1.5b']}.csv",
        *(f"results/domain/{name}/answers.jsonl" for name in domain.adapted(CONFIG.domain)),
    ]
    claims = ["R-2.speed", "R-5.memory", "R-5.retention", "R-6", "R-8.quick", "R-8.analysis"]
    run_through(claims, more, HUBS, 3500)


def with_questions(folder, mirror):
    """Medical questions of the test's own in a mirror, as the sources of this folder list them."""
    path = mirror / "questions.csv"
    path.parent.mkdir()
    bones = ["大腿骨", "上腕骨", "頭蓋骨", "鎖骨", "尺骨", "脛骨", "肋骨", "仙骨", "腓骨", "橈骨"]
    rows = [
        f"{bone}がある所はどこか,頭{i},腕{i},脚{i},胴{i},{'ABCD'[i % 4]}\n"
        for i, bone in enumerate(bones)
    ]
    path.write_text("".join(rows), encoding="utf-8")
    listed = folder / "config/sources.yaml"
    entries = yaml.safe_load(listed.read_text(encoding="utf-8"))
    entries[QUESTIONS] |= {
        "sha256": sha256(path),
        "bytes": path.stat().st_size,
        "places": [{"mirror": path.name}],
    }
    listed.write_text(yaml.safe_dump(entries, allow_unicode=True), encoding="utf-8")


# Faults of five repositories, met by one run: what each is told.
LACKING, LYING = "qwen2.5-7b", "rakutenai-7b"
TOLD = {
    GATED: ["is gated", "set HF_TOKEN"],
    MOVED: ["has no such commit", "run `snakemake lock`"],
    CUT: ["cannot be reached or broke off", "run again"],
    LACKING: ["lacks a file that the tree", "lock it anew"],
    LYING: ["with another sha256 than the lock's; removed", "lock it anew"],
}


@pytest.mark.hub
@pytest.mark.timeout(600)
def test_each_fault_is_one_line_with_its_mend_and_leaves_nothing_half_written(
    started, repositories, served_files, locked, tmp_path
):
    repositories[MOVED].commits = {"0" * 40: {}}
    repositories[CUT].cut = 10**6
    shards = {
        name: next(path for path in served_files[name] if path.endswith(".safetensors"))
        for name in (LACKING, LYING)
    }
    repositories[LACKING].lost.add(shards[LACKING])
    body = served_files[LYING][shards[LYING]]
    repositories[LYING].lies[shards[LYING]] = bytes(reversed(body))
    done = started(*map(fetched, [*TOLD, "lfm2-350m"]), token=None, timeout=500)
    assert done.returncode == 1, done.stdout
    for name, parts in TOLD.items():
        (line,) = {line for line in done.stdout.splitlines() if f"fetch_model {name} " in line}
        assert all(part in line for part in [HUBS[name], *parts]), line
    assert [path.stem for path in started.folder.glob(fetched("*"))] == ["lfm2-350m"]
    served = {
        hashlib.sha256(content).hexdigest()
        for files in served_files.values()
        for content in files.values()
    }
    blobs = [*tmp_path.glob("hub/models--*/blobs/*")]
    assert blobs and {hashlib.sha256(path.read_bytes()).hexdigest() for path in blobs} <= served


# What a fetched repository counts for

NAME = "maker/narrow"
ENTRY = Model(hub=NAME, card="narrow", role="base")
CARD = Card(
    name="narrow",
    model_type="llama",
    config={**twins.DECODER, "vocab_size": 258, "tie_word_embeddings": False},
    parameters=None,
    source=f"huggingface.co/{NAME}",
    remark="",
)


def without_mark(files):
    config = json.loads(files["config.json"])
    del config[twins.MARK]
    return files | {"config.json": json.dumps(config).encode()}


@pytest.fixture
def entered(hub_server, tmp_path):
    """Serves, locks and fetches files as NAME; the model that enters."""

    def enter(files, card=CARD, endpoint=hub.DEFAULT):
        hub_server.repositories[NAME] = Repository(files)
        cache = tmp_path / "cache"
        locked = hub.resolve(NAME, revision=None, cache=cache, date="2026-11-26")
        folder = hub.fetch(NAME, locked, cache)
        locked = locked.model_copy(update={"endpoint": site(endpoint)})
        return bases.of_hub("narrow", ENTRY, card, locked, folder)

    return enter


def tier(model):
    ran = Ran.model_validate({"models": [model.ran()]})
    return derive(Scope(models=[NAME]), [Arm(ran, [])])[0]


@pytest.fixture(scope="module")
def twin(tmp_path_factory):
    folder = twins.make("llama", tmp_path_factory.mktemp("narrow") / "twin", seed=0)
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_a_repository_with_the_dimensions_of_its_card_is_at_scope(entered, twin):
    assert tier(entered(without_mark(twin))) == "at-scope"


def test_a_twin_is_none_whatever_its_card_says(entered, twin):
    model = entered(twin)
    assert (model.weights, tier(model)) == ("twin", "reduced")


@pytest.mark.parametrize("name", [name for name in HUBS if MODELS[name].card])
def test_a_twin_without_its_mark_has_not_the_dimensions_of_the_model(name, entered, served_files):
    model = entered(without_mark(served_files[name]), CARDS[MODELS[name].card])
    assert (model.weights, model.as_card, tier(model)) == ("own", False, "reduced")


def test_parameters_that_are_not_those_of_the_card(entered, twin):
    more = save({"model.layers.2.weight": torch.zeros(4)})
    index = json.loads(twin["model.safetensors.index.json"])
    index["weight_map"]["model.layers.2.weight"] = "more.safetensors"
    files = twin | {
        "more.safetensors": more,
        "model.safetensors.index.json": json.dumps(index).encode(),
    }
    model = entered(without_mark(files))
    assert model.revision and not model.as_card and tier(model) == "reduced"


@pytest.mark.parametrize("endpoint", ["https://mirror.example", "http://huggingface.co"])
def test_a_lock_of_another_hub(entered, twin, endpoint):
    model = entered(without_mark(twin), endpoint=endpoint)
    assert (model.weights, tier(model)) == ("other", "reference")


@pytest.mark.parametrize("card", [None, CARDS["llama-2-7b"]], ids=["none", "another"])
def test_no_card_or_another(entered, twin, card):
    assert tier(entered(without_mark(twin), card)) == "reduced"
