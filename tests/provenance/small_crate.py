"""A crate of two judged claims on real observations, its metadata written as the contract says."""

import json
import shutil
from pathlib import Path
from urllib.parse import quote

import yaml
from conditions_example import CONDITIONS, RECORD
from kensho import observations
from kensho.bench import kv_cache
from kensho.bench.run import as_settings
from kensho.claims.model import Claim
from kensho.evaluate import harness, scores
from kensho.files import sha256, write_json
from kensho.models.cards import load
from kensho.provenance import verify_crate
from kensho.run import events
from kensho.stats.analysis import Settings
from kensho.stats.derive import derive
from kensho.stats.summary import Judged, summarise
from kensho.train import observed, record

STATUS = {"finished": "Completed", "failed": "Failed"}
ROOT = Path(__file__).parents[2]
CARDS = "resources/architectures.yaml"
GRID = {
    **{"lengths": [64], "batches": [1], "dtypes": ["float16"]},
    **{"measured_lengths": [8], "time_limit_s": 1e-6},  # soon over: the closed form
}
ANSWERED = {"base": ("猫。", "走れ。"), "tuned": ("私は猫だ。", "トムは走る。")}
JUDGED = Settings(family_size=0, alpha=0.05, seed=7, draws=500)


def claim(name, experiment, numerator, denominator, region):
    keys = ("arm", "metric", "block")
    reading = {
        **{"label": "all", "numerator": dict(zip(keys, numerator))},
        **{"denominator": dict(zip(keys, denominator))},
    }
    return Claim.model_validate(
        {
            **{"id": name, "source": "A", "statement": f"{name} holds", "unit": "ratio"},
            **{"quantity": "one by the other", "scope": {"models": ["any"]}},
            **{"claimed": {"low": region[0], "high": region[1]}, "required_tier": "at-scope"},
            "test": {
                **{"design": "deterministic", "experiment": experiment, "region": list(region)},
                **{"readings": [reading], "direction": "less"},
            },
            "not_tested": None,
        }
    )


def sides(metric, *arms):
    return [(arm, metric, None) for arm in arms]


CLAIMS = [
    claim("R-1", "kv_cache", *sides("cache_bytes", "mla", "mha"), (0.01, 0.02)),
    claim("T-1", "adaptation", *sides("chrf", "base", "tuned"), (0.1, 1)),
]
UNTESTED = claim("R-9", "training", *sides("peak_memory_bytes", "lora-r8", "full"), (0.1, 1))


def logs(answers):
    """What the harness logs of two translations, their scored side and a choice."""
    texts = ("私は猫です。", "トムは走る。")
    return {
        "tatoeba_nll": [
            {"doc_id": n, "doc": {"ja": ja}, "target": f" {ja}", "arguments": [["", f" {ja}"]],
             "filtered_resps": [(-20.5 - n, False)]} for n, ja in enumerate(texts)
        ],
        "tatoeba_en_ja": [
            {"doc_id": n, "doc": {"ja": ja}, "target": ja, "arguments": [["", {}]],
             "filtered_resps": [answer]} for n, (ja, answer) in enumerate(zip(texts, answers))
        ],
        "jnli": [
            {"doc_id": 0, "doc": {}, "target": 1, "arguments": [["", c] for c in "含矛"],
             "filtered_resps": [(-2.5, False), (-1.5, True)], "acc": 1.0}
        ],
    }  # fmt: skip


class Run:
    """Jobs that write their files below a folder, and the log of it."""

    def __init__(self, folder):
        self.folder, self.number = folder, 0

    def ended(self, rule, inputs, outputs, event="finished", **known):
        self.number += 1
        files = [[self.file(path) for path in paths] for paths in (inputs, outputs)]
        entry = events.Event(
            event, events.now(), f"a{self.number}", rule, inputs=files[0], outputs=files[1], **known
        )
        events.append(entry, self.folder / events.LOG)

    def file(self, path):
        whole = self.folder / path
        there = whole.is_file()
        return events.File(
            path, whole.stat().st_size if there else 7, 0, sha256(whole) if there else "0" * 64
        )

    def observations(self, experiment):
        paths = sorted((self.folder / "results/benchmark_data" / experiment).iterdir())
        return [path.relative_to(self.folder).as_posix() for path in paths]


def build(folder):
    """The whole crate."""
    results, run = folder / "results", Run(folder)
    for name in (CARDS, "workflow/scripts/experiment.py", "workflow/scripts/stats/judge.py"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, folder / name)
    (folder / "config/claims").mkdir(parents=True)
    registry = [entry.model_dump(mode="json") for entry in (*CLAIMS, UNTESTED)]
    (folder / "config/claims/main.yaml").write_text(yaml.safe_dump(registry, allow_unicode=True))

    table, _ = kv_cache.observe(load(folder / CARDS), as_settings(GRID))
    observations.write(results / "benchmark_data/kv_cache", table, CONDITIONS)
    run.ended("kv_cache", [CARDS], [], "failed", cause="no memory", exit=1)
    run.ended("kv_cache", [CARDS], run.observations("kv_cache"), params={"settings": GRID})

    source = "results/sources/pairs/record.json"
    write_json(folder / source, {"name": "pairs"})
    run.ended("fetch", [], [source], wildcards={"source": "pairs"})
    for arm, answers in ANSWERED.items():
        samples = {1: logs(answers)}
        harness.write_logs(results / f"evaluation/{arm}/samples.jsonl", samples)
        for experiment, rows in zip(("evaluation", "adaptation"), scores.rows(arm, samples)):
            place = results / "benchmark_data" / experiment
            observations.write(place, observations.table(rows), CONDITIONS)
        outputs = [f"results/evaluation/{arm}/samples.jsonl"]
        outputs += [
            path for name in ("evaluation", "adaptation") for path in run.observations(name)
            if path.rpartition("/")[2].startswith(arm)
        ]  # fmt: skip
        run.ended("evaluate", ["results/models/tiny", source], outputs)

    trained = "results/train/lora-r8/1-sft/seed1/record.json"
    (folder / trained).parent.mkdir(parents=True)
    record.write(folder / trained, RECORD)
    run.ended("train_stage", ["results/models/tiny"], [trained])
    held = [record.read(folder / trained)]
    told = observed.conditions(held)
    observations.write(
        results / "benchmark_data/training", observed.observations("lora-r8", held), told
    )
    run.ended("observe_training", [trained], run.observations("training"))

    analyses = {}
    for entry in CLAIMS:
        path = f"results/analysis/{entry.id}.json"
        analysis, _ = derive(entry, results, JUDGED)
        analyses[entry.id] = analysis.model_dump(mode="json")
        write_json(folder / path, analyses[entry.id])
        run.ended("judge", run.observations(entry.required_test.experiment), [path])
    untested = Judged(analyses, {UNTESTED.id: "left out"})
    summary = summarise([*CLAIMS, UNTESTED], untested, scale="embedded", alpha=0.05)
    write_json(results / "statistical_summary.json", summary)
    inputs = [f"results/analysis/{entry.id}.json" for entry in CLAIMS]
    run.ended("summarise", inputs, ["results/statistical_summary.json"])
    shutil.copy(verify_crate.__file__, folder)
    seal(folder)
    return folder


def forge(folder):
    """What one who edits a result can make anew: hashes in the log, metadata, manifest."""
    log = folder / events.LOG
    lines = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
    for file in (file for line in lines for file in line.get("outputs", [])):
        if (folder / file["path"]).is_file():
            file["sha256"] = sha256(folder / file["path"])
    log.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    seal(folder)


def seal(folder):
    """Metadata and manifest of the files that are there."""
    write_json(folder / verify_crate.METADATA, {"@context": [], "@graph": graph(folder)})
    manifest(folder)


def manifest(folder):
    digests = {path: sha256(folder / path) for path in files(folder)}
    lines = [f"{digest}  {path}\n" for path, digest in digests.items()]
    (folder / verify_crate.MANIFEST).write_text("".join(lines))


def files(folder):
    paths = (path for path in folder.rglob("*") if path.is_file())
    names = sorted(path.relative_to(folder).as_posix() for path in paths)
    return [name for name in names if name != verify_crate.MANIFEST]


def graph(folder):
    inside = [name for name in files(folder) if name != verify_crate.METADATA]
    last = {event.attempt: event for event in events.read(folder / events.LOG) if event.attempt}
    ended = list(last.values())
    makers = {file.path: event.attempt for event in ended for file in event.outputs}

    def link(path):
        return {"@id": quote(path) if path in inside else f"#{quote(path)}"}

    entities = [{"@id": "./", "@type": "Dataset", "hasPart": [link(path) for path in inside]}]
    entities += [
        {"@id": quote(path), "@type": "File", "sha256": sha256(folder / path),
         "contentSize": str((folder / path).stat().st_size)} for path in inside
    ]  # fmt: skip
    used = {file.path for event in ended for file in (*event.inputs, *event.outputs)}
    entities += [
        {**link(path), "@type": "CreativeWork", "description": "not in the crate: its licence"}
        for path in sorted(used - {*inside})
    ]
    script = {"@id": "workflow/scripts/experiment.py"}
    for event in ended:
        result = [link(f.path) for f in event.outputs if makers[f.path] == event.attempt]
        entities.append(
            {
                "@id": f"#attempt-{event.attempt}",
                "@type": "CreateAction" if result else "ActivateAction",
                "instrument": script,
                "actionStatus": f"http://schema.org/{STATUS[event.event]}ActionStatus",
                "object": [*map(link, (file.path for file in event.inputs)), *sources(event)],
                "result": result,
            }
        )
    entities += [{**one, "@type": "Dataset"} for event in ended for one in sources(event)]
    summary = json.loads((folder / "results/statistical_summary.json").read_text())
    return entities + [part for entry in summary["claims"] for part in verdict(entry, link)]


def sources(event):
    return [{"@id": f"#source-{name}"} for key, name in event.wildcards.items() if key == "source"]


def verdict(entry, link):
    name, analysis = entry["id"], entry["analysis"]
    review = {
        "@id": f"#review-{name}",
        "@type": "ClaimReview",
        "itemReviewed": {"@id": f"#claim-{name}"},
        "reviewRating": {"@id": f"#rating-{name}"},
        "reviewBody": entry["sentence"],
    }
    yield {"@id": f"#claim-{name}", "@type": "Claim", "text": entry["statement"]}
    yield {"@id": f"#rating-{name}", "@type": "Rating", "ratingValue": entry["verdict"]}
    if analysis:
        tables = [f"results/{one['file']}" for one in analysis["observations"]]
        beside = [path.replace(".csv", ".conditions.json") for path in tables]
        paths = [f"results/analysis/{name}.json", *tables, *beside]
        review["isBasedOn"] = [link(path) for path in paths]
        review["additionalProperty"] = {"@id": f"#estimate-{name}"}
        low, high = analysis["interval"] or (None, None)
        bounds = {"minValue": low, "maxValue": high} if analysis["interval"] else {}
        value = {"value": analysis["estimate"], **bounds}
        yield {"@id": f"#estimate-{name}", "@type": "PropertyValue", **value}
    yield review
