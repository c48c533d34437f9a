"""Damaged configurations and claim files: a line that names the key and the mend, no traceback."""

import copy
import random
import re
from pathlib import Path

import pytest
import yaml
from kensho.bench.catalogue import EXPERIMENTS
from kensho.claims import registry
from kensho.data import sources
from kensho.models import cards, catalogue
from kensho.plan.check import check

ROOT = Path(__file__).parents[1]
CLAIM_FILES = 150
VALUES = [
    *(None, True, -1, 0, 0.5, 10**9, float("nan"), float("inf"), "", "x", "../x", "1", "今日は"),
    *([], [None], ["x", "x"], {}, {"x": 1}, [[]], {1: 2}, "a" * 100),
]
# How a message ends: with what is right, or with what is to be done.
ENDS = (
    r"expected .+, found .+",
    r"expected at (least|most) \d+ items",
    r"should .+, found .+",
    r"did you mean '.+'\?",
    r"known: .+",
    r"required key is missing",
    r"; (add|leave|lower|name|put|raise|rename|take) .+",
)
ENDS_OF_CLAIMS = (
    *ENDS,
    r": give one of: .+",
    r": (sesoi must be above|prior must give|scores need 'prior:) .+",
    r" needs both ends: .+",
    r": low \S+ is not below high \S+",
    r": already used in \S+",
    r": two readings have the same label",
)
MEND, MEND_OF_CLAIMS = (re.compile(f"(?:{'|'.join(ends)})$") for ends in (ENDS, ENDS_OF_CLAIMS))

ARMS = ("train.arms.0", "train.recipes.0")
# Of a stage: null for the common one.
OPEN = ("batch_size", "samples", "steps", "max_length", "mixture")
STAGES = [f"{arm}.stages.0" for arm in ARMS]
PRICES = ("budget.prices.rocm", "budget.prices.cuda", "budget.prices.core")
STUDIES = tuple(  # of training
    name for name, part in EXPERIMENTS.items() if part.target == "training_studies"
)
# Which of VALUES may stand in the place of another, and what it then is; a list's first entry
# stands for all.
MEANINGFUL = {
    "a folder or a file": (
        ["x", "../x", "1", "今日は", "a" * 100],
        ["paths.cache", "paths.mirror", "paths.models", "cluster.container"]
        + ["judging.llm_jp_eval", "judging.comet"],
    ),
    "a text": (
        ["x", "../x", "1", "今日は", "a" * 100],
        ["provenance.title", "provenance.description"],
    ),
    "a switch": (
        [True],
        [f"{stage}.{key}" for stage in STAGES for key in ("checkpointing", "packing")],
    ),
    "a number from 0 to 100": (
        [0],
        [*(f"{stage}.context" for stage in STAGES), "judging.context"],
    ),
    "a name": (["x", "1", "a" * 100], [*(f"{arm}.name" for arm in ARMS), "cluster.gpu_model"]),
    "a seed of 32 bits": (
        [0, 10**9],
        ["seed", "train.seeds.0", "bench.medical.seeds.0", "bench.vocabulary_training.seeds.0"]
        + ["bench.augmentation_training.seeds.0", "bench.tokeniser_models.seeds.0"]
        + [f"bench.{study}.seeds.0" for study in STUDIES if study != "persona"],
    ),
    "an amount of money": ([0, 0.5, 10**9], PRICES),
    "a limit of money": ([0.5, 10**9], ["budget.limit_usd"]),
    "bytes": (
        [10**9],
        ["bench.memory_search.limit_bytes", "bench.device.copied_bytes"]
        + ["corpora.max_row_bytes"],
    ),
    "a share or none": (
        [0, 0.5],
        [f"{stage}.{key}" for stage in STAGES for key in ("warm_up", "weight_decay")],
    ),
    "a share of a half or more": ([0.5], ["judging.planted_right"]),
    "a share of a half or less": ([0, 0.5], ["judging.most_missing"]),
    "a number of samples or none": ([0], ["train.validation"]),
    "a share": (
        [0.5],
        ["data.near_duplicate", "corpora.near_duplicate"]
        + [f"corpora.fineweb2.top_{n}_grams" for n in (2, 3, 4)]
        + [f"corpora.fineweb2.{k}" for k in ("duplicated_lines", "punctuated_lines")]
        + [f"corpora.fineweb2.{k}" for k in ("newline_ratio", "language_score")]
        + ["augmentation.guard.rejected", "augmentation.synonyms.probability"]
        + ["augmentation.bunsetsu.probability", "augmentation.politeness.probability"]
        + ["augmentation.honorific.probability", "augmentation.syntax.probability"]
        + ["augmentation.eda.alpha", "bench.augmentation_features.tested"],
    ),
    "a rate, a cost or a factor": (
        [0.5],
        [*(f"{stage}.learning_rate" for stage in STAGES), "bench.medical.learning_rate"]
        + ["bench.vocabulary_training.learning_rate", "bench.tokenisation.cost"]
        + ["domain.learning_rate"]
        + ["bench.tokeniser_models.learning_rate", "bench.serving.rates.0"]
        + ["bench.augmentation_training.learning_rate", "cluster.memory", "cluster.time"]
        + [f"bench.{study}.learning_rate" for study in STUDIES if study != "regret"]
        + ["bench.continual.osf_learning_rate", "bench.regret.learning_rates.0"]
        + [f"bench.{study}.full_learning_rate" for study in ("adapters", "replay")],
    ),
    "nats": (
        [0, 0.5],
        [f"augmentation.contextual_{one}.margin" for one in ("causal", "masked")],
    ),
    "seconds": (
        [0.5],
        ["bench.kv_cache.time_limit_s", "bench.tokenisation.seconds", "bench.gemm.min_seconds"]
        + ["bench.serving.timeout_s"],
    ),
    "all, any, none or no limit": (
        [None],
        [
            "paths.mirror",
            "paths.models",
            "jlce.ranked",
            *(f"{arm}.base" for arm in ARMS),
            *(f"{stage}.{key}" for stage in STAGES for key in OPEN),
            *(f"bench.{one}.model" for one in ("quick_mode", "analysis_mode", "mixture_speed")),
            *(f"bench.{one}.model" for one in ("medical", "vocabulary", "inference")),
            *("bench.augmentation_training.model", "bench.serving.model", "bench.serving.draft"),
            *("strategy.model", *(f"bench.{study}.model" for study in STUDIES)),
            "bench.vocabulary.published",
            *(f"{stage}.method.alpha" for stage in STAGES),
            "bench.kv_cache.time_limit_s",
            "jlce.arms",
            "corpora.perplexity",
        ]
        + ["jlce.max_new_tokens", "jlce.judge", *PRICES]
        + [f"judging.{key}" for key in ("after", "anchors", "llm_jp_eval", "comet")]
        + ["cluster.gpu_model", "cluster.container"]
        + [f"domain.{role}" for role in ("swallow", "elyza", "qwen")]
        + [f"provenance.{key}" for key in ("title", "description", "publisher", "licence")],
    ),
    "nothing of one's own": ([{}], ["corpora.own", "judging.instructions"]),
    "none of what a run can do without": (
        [[]],
        ["accelerator_fallback", "engine_fallback", "bench.main", "corpora.make", "train.recipes"]
        + ["corpora.filters"]
        + ["evaluate.references", "evaluate.choice_tasks"]
        + ["bench.training_memory.ladder"]
        + ["bench.inference.beside", "jlce.sources", "cluster.modules"]
        + ["domain.crossed"]
        + ["train.trackers", "judging.anchors", "judging.judges", "judging.sets"]
        + ["provenance.authors", "provenance.texts", "pooled.crates", "audit.tables"]
        # of techniques that are not chosen
        + [f"augmentation.contextual_{one}.models" for one in ("causal", "masked")]
        + [f"augmentation.{one}.models" for one in ("round_trip", "multi_hop", "paraphrase")],
    ),
}
# What may not be removed: parts of an entry that have no default, the only entry of a list that
# must have one, and what another setting needs.
NEEDED = {
    *(f"{arm}.{key}" for arm in ARMS for key in ("name", "stages", "stages.0")),
    *(f"{stage}.{key}" for stage in STAGES for key in ("stage", "method")),
    *(f"{stage}.method.{key}" for stage in STAGES for key in ("name", "rank", "targets")),
    *("bench.attention.lengths.0", "bench.attention.dtypes.0", "bench.training_memory.cells.0"),
    *("bench.training_memory.cells.0.batch", "bench.training_memory.cells.0.length"),
    *("licences.0", "jlce.prompts.0", "augmentation.round_trip.via.0"),
    *(f"bench.tokeniser_models.{key}.0" for key in ("vocabularies", "coverages")),
    *("bench.augmentation_training.sizes.0", "bench.augmentation_training.techniques.0"),
    "bench.serving.batches.0",
}


def named(place):
    """The innermost key of a place; of a list, its number from 1."""
    keys = [key for key in place if isinstance(key, str)]
    return keys[-1] if keys else str(place[0] + 1)


def places(value, at=()):
    """Every place in nested mappings and lists, the root left out."""
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for key, found in items:
        yield (*at, key)
        if isinstance(found, dict | list):
            yield from places(found, (*at, key))


def changed(value, place, how, new=None):
    """A copy in which one place is removed, renamed, replaced or doubled; the rest is shared."""
    key, *below = place
    value = copy.copy(value)
    if below:
        value[key] = changed(value[key], below, how, new)
    elif how == "replace" or (how == "rename" and isinstance(value, list)):
        value[key] = new
    elif how == "double" and isinstance(value, list):
        value.append(value[key])
    elif how in ("rename", "double"):
        value[f"{key}s"] = value[key]
        if how == "rename":
            del value[key]
    else:
        del value[key]
    return value


@pytest.fixture(scope="module")
def whole():
    return yaml.safe_load((ROOT / "config" / "config.yaml").read_text())


@pytest.fixture(scope="module")
def lines_of():
    """A function that checks a configuration and gives the lines about it."""
    listed = sources.load(ROOT / "config" / "sources.yaml")[0]
    architectures = cards.load(ROOT / "resources" / "architectures.yaml")
    models = catalogue.load(ROOT / "config" / "models.yaml", listed, architectures)[0]
    known = listed, models, architectures

    def checked(raw, place):
        _, lines = check(raw, *known)
        for line in lines:
            assert line.startswith("config: ") and "\n" not in line, (place, line)
            assert len(line) < 1000 and MEND.search(line), (place, line)
        assert not lines or named(place) in " ".join(lines), (place, lines)
        return lines

    return checked


def first_entries(value):
    """The places of a configuration, of lists only the first entry."""
    return [place for place in places(value) if not any(type(k) is int and k for k in place)]


def dotted(place):
    return ".".join(map(str, place))


@pytest.mark.no_cover  # thousands of times through lines that other tests reach
def test_a_setting_is_replaced_only_by_what_makes_sense(whole, lines_of):
    accepted = {
        (dotted(place), repr(value))
        for place in first_entries(whole)
        for value in VALUES
        if not lines_of(changed(whole, place, "replace", value), place)
    }
    sections = {dotted(place[:-1]) for place in first_entries(whole) if 0 not in place} - {""}
    expected = {(section, "{}") for section in sections}  # all of its defaults
    for values, keys in MEANINGFUL.values():
        expected |= {(key, repr(value)) for key in keys for value in values}
    assert accepted == expected


def test_a_setting_is_removed_only_where_something_stands_in(whole, lines_of):
    refused = {
        dotted(place)
        for place in first_entries(whole)
        if lines_of(changed(whole, place, "remove"), place)
    }
    assert refused == NEEDED


@pytest.mark.parametrize("how", ["rename", "double"])
def test_no_setting_has_another_name_or_stands_twice(whole, lines_of, how):
    for place in first_entries(whole):
        assert lines_of(changed(whole, place, how), place), place


def test_damaged_claims_are_refused_by_file_and_key(tmp_path):
    files = sorted((ROOT / "config" / "claims").glob("*.yaml"))
    refused = 0
    for number in range(CLAIM_FILES):
        rng = random.Random(number)
        path = rng.choice(files)
        claims = yaml.load(path.read_text(), Loader=yaml.CSafeLoader)
        place = rng.choice(list(places(claims)))
        how = rng.choice(["remove", "replace", "replace", "rename", "double"])
        raw = changed(claims, place, how, rng.choice(VALUES))
        folder = tmp_path / str(number)
        folder.mkdir()
        (folder / path.name).write_text(yaml.safe_dump(raw, allow_unicode=True))
        try:
            registry.load(folder)
        except ValueError as error:
            refused += 1
            for line in str(error).splitlines():
                assert path.name in line and len(line) < 1000, (number, place, line)
                assert MEND_OF_CLAIMS.search(line), (number, place, line)
            # a doubled claim is named by its id
            assert named(place) in str(error) or "already used" in str(error), (place, str(error))
    assert refused > CLAIM_FILES / 3
