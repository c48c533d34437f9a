import json
import zipfile
from pathlib import Path

import pytest
from kensho import crates
from kensho.provenance import compare
from kensho.provenance.compare import Difference, main

HARDWARE = {"cpu": "AMD EPYC", "cores": 2, "memory_bytes": 2**34, "accelerators": []}


def crate_of(folder: Path) -> Path:
    """A small folder of the layout of a crate: one claim, two arms, one source, three attempts."""
    analysis = {
        "verdict": "VERIFIED", "reason": "HOLDS", "tier": "at-scope", "estimate": 1.7812345678,
        "interval": [1.7, 1.8], "interval_family": [1.6, 1.9], "claim_sha256": "ab" * 32,
        "settings": {"alpha": 0.05, "seed": 7, "family_size": 2, "draws": 2500},
    }  # fmt: skip
    summary = {"claims": [{"id": "R-1", "verdict": "VERIFIED"}, {"id": "R-2", "verdict": "FAILED"}]}
    conditions = {"dtype": "float32", "hardware": HARDWARE, "software": {"torch": "2.13.0"},
                  "datasets": {"test": {"sha256": "cd" * 32}}}  # fmt: skip
    files = {
        "results/analysis/R-1.json": analysis,
        "results/statistical_summary.json": summary,
        "results/sources/tatoeba/record.json": {"sha256": "ef" * 32, "revision": "2026-01"},
    } | {f"results/benchmark_data/speed/{arm}.conditions.json": conditions for arm in ("a", "b")}
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(content))
    log = [
        {"event": "started", "rule": "speed", "attempt": "1", "params": {"seed": 1}},
        *(
            {"event": "finished", "rule": rule, "attempt": rule, "code": "0123", "wildcards": {},
             "environment": {"name": ".venv", "sha256": "aa" * 32},
             "params": {"seed": 1, "code": "0123", "settings": {"blocks": 4}}}
            for rule in ("speed", "memory")
        ),
    ]  # fmt: skip
    write_log(folder, log)
    return folder


def write_log(folder, lines):
    (folder / "logs").mkdir(exist_ok=True)
    text = "".join(json.dumps(line) + "\n" for line in lines)
    (folder / "logs/jobs.jsonl").write_text(text + '{"torn')


def changed(folder, name, change):
    """Change the JSON of a file (each line of a log) in place."""
    path = folder / name
    if path.suffix == ".jsonl":
        lines = [json.loads(line) for line in path.read_text().splitlines()[:-1]]
        write_log(folder, [change(line) or line for line in lines])
        return
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


@pytest.fixture
def two(tmp_path):
    return crate_of(tmp_path / "one"), crate_of(tmp_path / "two")


def zipped(folder):
    path = folder.with_suffix(".zip")
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted(folder.rglob("*")):
            archive.write(file, file.relative_to(folder))
    return path


def test_folder_and_zip_of_the_same_run_do_not_differ(two, capsys):
    assert compare.compare(*two) == []
    assert main([str(two[0]), str(zipped(two[1]))]) == 0
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("name", "change", "line"),
    [
        ("results/analysis/R-1.json", lambda a: a.update(verdict="FAILED"),
         "verdicts: verdict of R-1: VERIFIED | FAILED"),
        ("results/analysis/R-1.json", lambda a: a.update(estimate=1.7812345679),
         "verdicts: estimate of R-1: 1.7812345678 | 1.7812345679"),
        ("results/statistical_summary.json", lambda s: s["claims"][1].update(verdict="NOT TESTED"),
         "verdicts: verdict of R-2: FAILED | NOT TESTED"),
        ("logs/jobs.jsonl", lambda e: e["params"].update(seed=2),
         "settings: params.seed of memory, speed: 1 | 2"),
        ("logs/jobs.jsonl", lambda e: e.update(code="4567"),
         "code: code of memory, speed: 0123 | 4567"),
        ("logs/jobs.jsonl", lambda e: e.setdefault("environment", {}).update(sha256="bb" * 32),
         "packages: environment.sha256 of memory, speed: aaaaaaaaaaaa | bbbbbbbbbbbb"),
        ("results/benchmark_data/speed/a.conditions.json",
         lambda c: c["software"].update(torch="2.14.0"),
         "packages: software.torch of speed/a: 2.13.0 | 2.14.0"),
        ("results/sources/tatoeba/record.json", lambda r: r.update(revision="2026-02"),
         "data: revision of tatoeba: 2026-01 | 2026-02"),
        ("results/benchmark_data/speed/b.conditions.json",
         lambda c: c["hardware"].update(accelerators=["MI300X"]),
         'hardware: hardware.accelerators of speed/b: [] | ["MI300X"]'),
    ],
)  # fmt: skip
def test_one_change_makes_one_line(two, capsys, name, change, line):
    changed(two[1], name, change)
    assert main([str(path) for path in two]) == 1
    assert capsys.readouterr().out.splitlines() == [line]


def test_verdicts_come_first_and_equal_changes_make_one_line(two):
    for arm in ("a", "b"):
        name = f"results/benchmark_data/speed/{arm}.conditions.json"
        changed(two[1], name, lambda c: c["hardware"].update(cores=64))
    changed(two[1], "results/analysis/R-1.json", lambda a: a.update(tier="reduced"))
    first, second = compare.compare(*two)
    assert first == Difference("verdicts", "tier", "at-scope", "reduced", ("R-1",))
    assert second.of == ("speed/a", "speed/b")


def test_what_an_older_log_does_not_record_is_unknown(two):
    head = {"config": {"seed": 1}, "commit": "0f" * 20, "changed": [], "diff_sha256": None}
    run = {"event": "run", "run": "1", "head": head}
    installed = {"event": "installed", "environment": {"name": ".venv"}, "packages": {"torch": "2"}}
    new = [run, installed, {"event": "ended", "run": "1"}]
    lines = (two[1] / "logs/jobs.jsonl").read_text().splitlines()[:-1]
    write_log(two[1], [*new, *map(json.loads, lines)])
    told = [str(difference) for difference in compare.compare(*two)]
    assert told == ["settings: configuration: unknown | recorded", "code: git: unknown | recorded",
                    "packages: packages: unknown | recorded"]  # fmt: skip
    write_log(two[0], [{**run, "head": head | {"config": {"seed": 2}}}, *map(json.loads, lines)])
    assert "settings: config.seed: 2 | 1" in map(str, compare.compare(*two))


def test_a_claim_of_one_crate_alone_is_absent_in_the_other(two):
    (two[1] / "results/analysis/R-3.json").write_text('{"verdict": "PARTIAL"}')
    told = map(str, compare.compare(*two))
    assert "verdicts: verdict of R-3: absent | PARTIAL" in told


def test_what_is_no_crate_is_named_with_status_2(two, tmp_path, capsys):
    (tmp_path / "text.zip").write_text("no zip")
    (tmp_path / "empty").mkdir()
    out = tmp_path / "out.zip"
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("../results/analysis/R-1.json", "{}")
    (two[1] / "results/sources/tatoeba/record.json").write_text("[]")
    for path in ("text.zip", "empty", "out.zip", "absent", "two"):
        assert main([str(two[0]), str(tmp_path / path)]) == 2, path
        [line] = capsys.readouterr().err.splitlines()
        assert str(tmp_path / path) in line
    assert main([str(zipped(two[1])), str(two[0])]) == 2
    assert f"{two[1]}.zip/results/sources" in capsys.readouterr().err
    assert not (tmp_path.parent / "results").exists()
    assert main(["one"]) == 2


def test_a_zip_that_would_fill_the_disk_is_refused(two, capsys, monkeypatch):
    monkeypatch.setattr(crates, "MOST_BYTES", 100)
    assert main([str(zipped(two[0])), str(two[1])]) == 2
    assert "bytes are too many" in capsys.readouterr().err
