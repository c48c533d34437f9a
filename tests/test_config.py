"""The configuration: generated files, and every mistake as one line."""

import copy
import datetime
import json
import re
from pathlib import Path

import numpy as np
import pytest
import yaml
from kensho.claims import registry
from kensho.data import sources
from kensho.models import cards, catalogue
from kensho.paths import Paths, folders
from kensho.plan.check import check
from kensho.plan.config import Arm, Config, generated
from pydantic import ValidationError

ROOT = Path(__file__).parents[1]
SOURCES, _ = sources.load(ROOT / "config/sources.yaml")
CARDS = cards.load(ROOT / "resources/architectures.yaml")
MODELS, _ = catalogue.load(ROOT / "config/models.yaml", SOURCES, CARDS)


def arm(method, name="x", **stage):
    """One arm of one stage, as a user writes it."""
    return {"name": name, "stages": [{"stage": "sft", "method": method, **stage}]}


ADAPTERS = {"name": "lora", "rank": 4, "targets": ["q_proj"]}
BLOCKS = {"name": "oft", "targets": ["q_proj"]}
WHOLE = {"name": "full"}
LORA, FULL = arm(ADAPTERS), arm(WHOLE)
JUDGE = {"url": "http://judge/v1", "model": "any"}


def problems(raw):
    return check(raw, SOURCES, MODELS, CARDS)[1]


def nested(depth):
    node = {}
    for _ in range(depth):
        node = {"a": node}
    return node


@pytest.mark.parametrize("name", generated())
def test_generated_files_are_up_to_date(name):
    current = (ROOT / name).read_text(encoding="utf-8") == generated()[name]
    assert current, f"{name} differs from workflow/kensho/plan/config.py; repair: make config"


def test_the_generated_yaml_is_the_defaults_and_has_no_problem():
    raw = yaml.safe_load(generated()["config/config.yaml"])
    config, found = check(raw, SOURCES, MODELS, CARDS)
    assert found == []
    assert config == Config()
    assert raw == Config().model_dump(mode="json")


def test_the_schema_knows_every_section_and_refuses_others():
    schema = json.loads(generated()["config/schemas/config.schema.json"])
    assert set(schema["properties"]) == set(Config.model_fields)
    assert all(
        part["additionalProperties"] is False for part in [schema, *schema["$defs"].values()]
    )


ONE_LINE = {
    "unknown key": ({"data": {"sorce": "x"}}, "data.sorce: unknown key, did you mean 'source'?"),
    "unknown section": ({"trian": {}}, "trian: unknown key, did you mean 'train'?"),
    "key that is no text": ({"data": {7: "x"}}, "data.7: Keys should be strings, found 7"),
    "yes is true in YAML": ({True: "x"}, "1: Keys should be strings, found true"),
    "type": (
        {"train": {"steps": "twenty"}},
        "train.steps: expected a whole number, found the text",
    ),
    "fraction": ({"train": {"steps": 2.5}}, "train.steps: expected a whole number, found 2.5"),
    "true for a number": (
        {"data": {"test": True}},
        "data.test: expected a whole number, found true",
    ),
    "null": ({"seed": None}, "seed: expected a whole number, found null"),
    "null section": ({"data": None}, "data: expected a mapping, found null"),
    "list for a section": ({"train": ["lora"]}, "train: expected a mapping, found a list of 1"),
    "names for arms": ({"train": {"arms": ["lora-r8"]}}, "train.arms.0: expected a mapping, found"),
    "text in a list": ({"train": {"seeds": [1, "two"]}}, "train.seeds.1: expected a whole number"),
    "key of an arm": ({"train": {"arms": [{**LORA, "rnk": 4}]}}, "train.arms.0.rnk: unknown key"),
    "key of a method": (
        {"train": {"arms": [arm({**ADAPTERS, "rnk": 4})]}},
        "train.arms.0.stages.0.method.rnk: unknown key, did you mean 'rank'?",
    ),
    "unknown method": (
        {"train": {"arms": [arm({**ADAPTERS, "name": "dara"})]}},
        "train.arms.0.stages.0.method: name: expected 'full', 'lora', 'rslora', ",
    ),
    "a method that cannot stand on 4 bits": (
        {"train": {"arms": [arm({**ADAPTERS, "name": "pissa", "nf4": True})]}},
        "train.arms.0.stages.0.method.nf4: PiSSA begins with the singular values of the weights",
    ),
    "a block that does not fit": (
        {"train": {"arms": [arm({**BLOCKS, "block_size": 50})]}},
        "train.arms: 'x': blocks of 50 do not fill an input of 576; take a block_size",
    ),
    "a class that PEFT lacks": (
        {"train": {"arms": [arm({"name": "peft", "targets": ["q_proj"], "config": "BoftConfig"})]}},
        "train.arms.0.stages.0.method: PEFT has no class 'BoftConfig' that adapts modules, did",
    ),
    "unknown stage": (
        {"train": {"arms": [{"name": "x", "stages": [{"stage": "ppo", "method": WHOLE}]}]}},
        "train.arms.0.stages.0: stage: expected 'sft', 'cpt', 'dpo', 'grpo', 'expand', 'merge', ",
    ),
    "no stage": (
        {"train": {"arms": [{"name": "x", "stages": []}]}},
        "train.arms.0.stages: expected at",
    ),
    "one of the old form": (
        {"train": {"arms": [{**FULL, "method": "full"}]}},
        "train.arms.0.method: unknown key",
    ),
    "no name": (
        {"train": {"arms": [{"stages": FULL["stages"]}]}},
        "train.arms.0.name: required key is",
    ),
    "no arm": ({"train": {"arms": []}}, "train.arms: expected at least 1 items"),
    "choice": ({"scale": "huge"}, "scale: expected 'embedded', 'standard' or 'full', found"),
    "bound": ({"stats": {"alpha": 0.7}}, "stats.alpha: should be less than 0.5, found 0.7"),
    "negative seed": ({"train": {"seeds": [1, -2]}}, "train.seeds.1: should be greater than or"),
    "seed twice": ({"train": {"seeds": [1, 2, 1]}}, "train.seeds: 1 stands there twice"),
    "missing model": (
        {"train": {"base": "smollm2-135m-instrct"}},
        "train.base: no model 'smollm2-135m-instrct' in config/models.yaml, "
        "did you mean 'smollm2-135m-instruct'?",
    ),
    "missing reference": (
        {"evaluate": {"references": ["gpt"]}},
        "evaluate.references: no model 'gpt'",
    ),
    "dataset for a model": ({"train": {"base": "jnli"}}, "train.base: no model 'jnli'"),
    "missing dataset": ({"data": {"source": "jparacrawl"}}, "data.source: no dataset 'jparacrawl'"),
    "missing task": (
        {"evaluate": {"choice_tasks": ["jsick"]}},
        "evaluate.choice_tasks: no dataset",
    ),
    "licence": (
        {"licences": ["permissive", "public-domain", "by-sa", "gemma-terms"]},
        "data.source: 'tatoeba-japanese-english' is under licence class by; add it to licences",
    ),
    "architecture": (
        {"bench": {"training_memory": {"adapted": "llama-2-7"}}},
        "bench.training_memory.adapted: no architecture 'llama-2-7' in "
        "resources/architectures.yaml, did you mean 'llama-2-7b'?",
    ),
    "architecture without the modules": (
        {"bench": {"gemm": {"models": ["open-calm-1b"]}}},
        "bench.gemm.models: 'open-calm-1b' is of type gpt_neox; take one of type llama, qwen2",
    ),
    "strategy for another architecture": (
        {"strategy": {"model": "gemma-3-270m"}},
        "strategy.model: 'gemma-3-270m' is of type gemma3_text; take one of type llama, qwen2",
    ),
    "regret of another architecture": (
        {"bench": {"regret": {"model": "gemma-3-270m"}}},
        "bench.regret.model: 'gemma-3-270m' is of type gemma3_text; take one of type llama, qwen2",
    ),
    "more items than there are": (
        {"bench": {"analysis_mode": {"items": 501}}},
        "bench.analysis_mode.items: 501 of only 500 (data.test)",
    ),
    "lora without rank": (
        {"train": {"arms": [arm({"name": "lora", "targets": ["q_proj"]})]}},
        "train.arms.0.stages.0.method.rank: required key is missing",
    ),
    "lora without targets": (
        {"train": {"arms": [arm(ADAPTERS | {"targets": []})]}},
        "train.arms.0.stages.0.method.targets: expected at least 1 items",
    ),
    "more samples than there are": (
        {"train": {"arms": [arm(WHOLE, samples=20_000)]}},
        "train.arms: 'x': 20000 samples, but data.train is 15000; raise that or lower samples",
    ),
    "a mixture that is not made": (
        {"train": {"arms": [arm(WHOLE, **{"stage": "cpt", "mixture": "japanese-english"})]}},
        "train.arms: 'x': mixture 'japanese-english' is not made; add it to corpora.make",
    ),
    "a step that is no whole number of groups": (
        {"train": {"batch_size": 8, "arms": [arm(WHOLE, stage="grpo", group=3, accumulation=2)]}},
        "train.arms: 'x': grpo: groups of 3 leave 1 of a step of 16 answers; change group",
    ),
    "answers that leave no prompt": (
        {"train": {"max_length": 96, "arms": [arm(WHOLE, stage="grpo", new_tokens=96)]}},
        "train.arms: 'x': grpo: 96 new_tokens leave no prompt in a max_length of 96; lower",
    ),
    "steps of one arm that others are compared with": (
        {"train": {"arms": [arm(WHOLE, steps=20)]}},
        "train.arms: 'x': sft: steps are those of all arms, which are compared; set train.steps",
    ),
    "nothing to merge": (
        {"train": {"arms": [{"name": "x", "stages": [*FULL["stages"], {"stage": "merge"}]}]}},
        "train.arms: 'x': merge: nothing before it has adapters; leave it out",
    ),
    "adapters beside what must be whole": (
        {"train": {"arms": [{"name": "x", "stages": [*LORA["stages"], {"stage": "expand"}]}]}},
        "train.arms: 'x': expand: what is before it has adapters; add merge between",
    ),
    "an unknown side to reject": (
        {"train": {"arms": [arm(WHOLE, **{"stage": "dpo", "rejected": "best"})]}},
        "train.arms.0.stages.0.rejected: expected 'neighbour', 'eda' or 'own', found",
    ),
    "nothing paid for leaving the reference": (
        {"train": {"arms": [arm(WHOLE, **{"stage": "dpo", "beta": 0.0})]}},
        "train.arms.0.stages.0.beta: should be greater than 0, found 0.0",
    ),
    "augmented preferences": (
        {"train": {"arms": [arm(WHOLE, **{"stage": "dpo", "corpus": "augmented"})]}},
        "train.arms.0.stages.0.corpus: expected 'original', found the text 'augmented'",
    ),
    "originals for augmented samples": (
        {"train": {"arms": [arm(WHOLE, **{"corpus": "augmented", "samples": 9})]}},
        "train.arms.0.stages.0: samples: the augmented corpus begins with originals; leave it out",
    ),
    "a corpus beside a mixture": (
        {"train": {"arms": [arm(WHOLE, stage="cpt", corpus="augmented", mixture="m")]}},
        "train.arms.0.stages.0: mixture: it is read in the place of the corpus; leave corpus out",
    ),
    "packing where nothing is packed": (
        {"train": {"arms": [arm(WHOLE, stage="dpo", packing=False)]}},
        "train.arms.0.stages.0.packing: unknown key",
    ),
    "full with a rank": (
        {"train": {"arms": [arm(WHOLE | {"rank": 8})]}},
        "train.arms.0.stages.0.method.rank: unknown key",
    ),
    "arm twice": (
        {"train": {"arms": [LORA, FULL]}},
        "train.arms: the name 'x' is used twice; rename one arm",
    ),
    "arm named base": (
        {"train": {"arms": [FULL | {"name": "base"}]}},
        "train.arms: the name 'base'",
    ),
    "arm named as a reference": (
        {"train": {"arms": [FULL | {"name": "gemma-3-270m"}]}},
        "train.arms: the name 'gemma-3-270m'",
    ),
    "arm name for a path": (
        {"train": {"arms": [FULL | {"name": "../x"}]}},
        "train.arms.0.name: String should match pattern",
    ),
    "ranked arm": (
        {"jlce": {"arms": ["base", "lora-r9"]}},
        "jlce.arms: no arm 'lora-r9', did you mean 'lora-r8'?",
    ),
    "one model to rank": ({"jlce": {"arms": ["base"]}}, "jlce.arms: expected at least 2 items"),
    "no first prompt": ({"jlce": {"prompts": [2]}}, "jlce.prompts: without 1"),
    "more seeds than there are": ({"jlce": {"seeds": 4}}, "jlce.seeds: 4 of only 3 (train.seeds)"),
    "ranked and not asked": (
        {"jlce": {"tasks": ["nli"], "ranked": ["nli", "honorific"]}},
        "jlce.ranked: 'honorific' is not asked; add it to jlce.tasks, or leave it out",
    ),
    "no task that ranks": (
        {"jlce": {"tasks": ["honorific"]}},
        "jlce.ranked: no task ranks the models; add one",
    ),
    "engine without a wheel": (
        {"engine": "llama.cpp"},
        "engine: llama.cpp runs no tasks here, as PyPI has no wheel of llama-cpp-python",
    ),
    "judge without a model": (
        {"jlce": {"judge": {"url": "http://judge/v1", "pairs": [["base", "lora-r8"]]}}},
        "jlce.judge.model: required key is missing",
    ),
    "judge of itself": (
        {"jlce": {"judge": JUDGE | {"pairs": [["base", "base"]]}}},
        "jlce.judge.pairs: an arm against itself",
    ),
    "judge whose key would go in the clear": (
        {"jlce": {"judge": JUDGE | {"key_variable": "KEY", "pairs": [["base", "full"]]}}},
        "jlce.judge: url: would send the API key in the clear",
    ),
    "judge at no address": (
        {"judging": {"judges": [JUDGE | {"name": "j", "url": "https://key＠judge/v1"}]}},
        "judging.judges.0: url: cannot be read as an address",
    ),
    "judge with a key in its address": (
        {"jlce": {"judge": JUDGE | {"url": "http://key@judge/v1", "pairs": [["base", "full"]]}}},
        "jlce.judge.url: String should match pattern",
    ),
    "arm judged against itself": (
        {"judging": {"before": "lora-r8"}},
        "judging: 'lora-r8' stands twice in before, after and anchors (after: null is the first",
    ),
    "arm among its anchors": (
        {"judging": {"after": "full", "anchors": ["full"]}},
        "judging: 'full' stands twice in before, after and anchors; leave one",
    ),
    "one judge under two names": (
        {"judging": {"judges": [JUDGE | {"name": name} for name in ("one", "two")]}},
        "judging.judges: two are one model of one place; leave one",
    ),
    "one model in two places": (
        {"domain": {"crossed": ["gemma-3-270m"]}},
        "domain: crossed: 'gemma-3-270m' stands in 2 places; name it once",
    ),
    "judge of three": (
        {"jlce": {"judge": JUDGE | {"pairs": [["base", "lora-r8", "full"]]}}},
        "jlce.judge.pairs.0: expected at most 2 items",
    ),
    "pool": ({"data": {"pool": 15_499}}, "data.pool: smaller than data.train + data.test"),
    "lengths": ({"data": {"min_characters": 31}}, "data.min_characters: above data.max_characters"),
    "target": (
        {"augmentation": {"target": 14_999}},
        "augmentation.target: smaller than data.train",
    ),
}


@pytest.mark.parametrize("case", ONE_LINE)
def test_a_mistake_is_one_line(case):
    raw, line = ONE_LINE[case]
    [found] = problems(raw)
    assert found.lower().startswith(f"config: {line}".lower())
    assert "\n" not in found


def test_all_mistakes_are_listed_together():
    raw = {}
    for part, _ in (ONE_LINE[c] for c in ("unknown section", "null", "pool", "choice", "bound")):
        raw |= part
    raw["train"] = {"base": "gpt", "steps": "x", "seeds": ["one"]}
    raw["bench"] = {"quick_mode": {"blocks": 0}, "training_memory": {"full": "gpt"}}
    keys = [line.split(": ")[1] for line in problems(raw)]
    assert sorted(keys) == sorted(
        ["trian", "seed", "scale", "stats.alpha", "train.steps", "train.seeds.0"]
        + ["bench.quick_mode.blocks", "train.base", "bench.training_memory.full", "data.pool"]
    )


def test_a_fault_leaves_the_other_values_of_its_section():
    raw = {"train": {"steps": 7, "dtype": "int4", "arms": [LORA]}, "seed": "x"}
    config, found = check(raw, SOURCES, MODELS, CARDS)
    assert len(found) == 2
    assert (config.train.steps, config.train.dtype, config.seed) == (7, "auto", Config().seed)
    assert config.train.arms == [Arm(**LORA)]
    assert raw["train"]["dtype"] == "int4"  # the caller's mapping is left alone


def test_a_licence_must_be_accepted_unless_the_source_is_optional():
    lines = problems({"licences": ["permissive", "by", "public-domain"]})  # by-sa: optional tasks
    told = "'gemma-3-270m' is under licence class gemma-terms; add it to licences"
    assert [told in line for line in lines] == [True, True]
    keys = ("evaluate.references", "domain.swallow")
    assert all(key in line for key, line in zip(keys, lines, strict=True))


@pytest.mark.parametrize("raw", [[], ["scale"], None, "embedded", 3])
def test_a_file_that_is_no_mapping_is_one_line(raw):
    assert problems(raw) == [line for line in problems(raw) if line.startswith("config: expected")]
    assert len(problems(raw)) == 1


WRONG = [
    None, "text", "", -1, 0, 1.5, 10**30, float("nan"), True, [], {}, ["a", 1], [[1]], {"a": 1},
    nested(50), nested(5000), datetime.date(2026, 3, 11), {1, 2}, {"name": ["x"]}, [None],
]  # fmt: skip
KEYS = ["polo", "", "a.b", 1, 2.5, True, None, ("a", 1), datetime.date(2026, 3, 11), "検証"]


def nodes(node, above=()):
    """Places of a nested structure, the root left out."""
    for key, value in node.items() if isinstance(node, dict) else enumerate(node):
        yield (*above, key)
        if isinstance(value, dict | list) and len(above) < 5:
            yield from nodes(value, (*above, key))


def mutated(raw, rng, keys=KEYS):
    """``raw`` with one thing made wrong, and the place of it."""
    every = list(nodes(raw))
    *above, last = place = every[rng.integers(len(every))]
    node = raw
    for part in above:
        node = node[part]
    match ["drop", "wrong", "unknown", "list"][rng.integers(4)]:
        case "drop":
            del node[last]
        case "unknown" if isinstance(node, dict):
            key = keys[rng.integers(len(keys))]
            node[key] = node.pop(last) if rng.integers(2) else 1
            place = (*above, key)
        case "list":
            node[last] = [node[last]]
        case _:
            node[last] = WRONG[rng.integers(len(WRONG))]
    return raw, place


def test_no_mutation_of_the_configuration_raises():
    rng, refused = np.random.default_rng(20260311), 0
    default = yaml.safe_load((ROOT / "config/config.yaml").read_text(encoding="utf-8"))
    for _ in range(600):
        raw, place = mutated(copy.deepcopy(default), rng)
        config, found = check(raw, SOURCES, MODELS, CARDS)
        assert isinstance(config, Config)
        for line in found:
            assert re.match(r"config: [^:]*: \S", line), (place, line)
            assert len(line) < 700  # all models are named where none is near
            assert "\n" not in line
        try:
            assert Config.model_validate(raw) == config
        except ValidationError:
            refused += 1
            key = place[0] if isinstance(place[0], str) else ""
            assert found[0].startswith(f"config: {key}"), (place, found)
    assert refused > 300  # the mutations hit


def test_no_pair_of_mutations_raises():
    rng = np.random.default_rng(7)
    default = Config().model_dump(mode="json")
    for _ in range(150):
        raw, _ = mutated(mutated(copy.deepcopy(default), rng)[0], rng)
        config, found = check(raw, SOURCES, MODELS, CARDS)
        assert isinstance(config, Config)
        assert all("\n" not in line and line.startswith("config: ") for line in found)


def test_mutated_claim_files_are_refused_in_single_lines(tmp_path):
    rng, refused = np.random.default_rng(5), 0
    path = tmp_path / "main.yaml"
    entries = yaml.safe_load((ROOT / "config/claims/main.yaml").read_text(encoding="utf-8"))
    tested = [entry for entry in entries if entry.get("test")]
    text_keys = [key for key in KEYS if isinstance(key, str)]
    for index in range(60):
        claim, place = mutated(copy.deepcopy(tested[index % len(tested)]), rng, text_keys)
        try:
            path.write_text(yaml.safe_dump([claim]), encoding="utf-8")
        except (yaml.YAMLError, RecursionError):  # no YAML file can hold it
            continue
        try:
            registry.load(tmp_path)
        except registry.ClaimError as error:
            refused += 1
            assert error.lines == str(error).splitlines(), place
            assert all(line.startswith(f"{path}: ") for line in error.lines), error.lines
    assert refused > 30


@pytest.mark.parametrize(
    "text",
    [
        "- {id: X-1, [a, b]: c}",
        "- {id: X-1, unit: 2026-13-45}",
        "- {id: X-1, priority: 'yes\n\n  no'}",
        "- {id: X-1, unit: " + "[" * 2000 + "]" * 2000 + "}",
    ],
    ids=["list as a key", "no such date", "text of two lines", "deep nesting"],
)
def test_odd_yaml_is_refused_in_single_lines_that_name_the_file(tmp_path, text):
    path = tmp_path / "main.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(registry.ClaimError) as error:
        registry.load(tmp_path)
    assert error.value.lines == str(error.value).splitlines()
    assert all(line.startswith(str(path)) for line in error.value.lines)


def test_the_environment_wins_over_configured_paths(tmp_path):
    given = Paths(cache="~/c", mirror="m")
    assert folders(given, {}) == (Path.home() / "c", Path("m"))
    environment = {"KENSHO_CACHE": str(tmp_path), "KENSHO_MIRROR": "~/other"}
    assert folders(given, environment) == (tmp_path, Path.home() / "other")
    assert folders(given, {"KENSHO_MIRROR": ""})[1] == Path("m")
    assert folders(Paths(), {"KENSHO_MIRROR": ""})[1] is None
