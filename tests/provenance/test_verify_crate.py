"""Depth 0: one file of bare Python names every file that is not what the crate says, and whose
claims rest on it."""

import ast
import json
import os
import random
import shutil
import stat
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import small_crate
from kensho.provenance import verify_crate

MLA = "results/benchmark_data/kv_cache/mla.csv"
ANSWERS = "results/evaluation/base/samples.jsonl"
ANALYSIS = "results/analysis/R-1.json"


def faults(place):
    return verify_crate.lines(verify_crate.checked(place))


def edit(path, old, new):
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


def zipped(folder, *more):
    """The crate as a zip, and members beside it by name, content and mode."""
    path = folder.with_suffix(".zip")
    with zipfile.ZipFile(path, "w") as archive:
        for name in [*small_crate.files(folder), verify_crate.MANIFEST]:
            archive.write(folder / name, name)
        for name, content, mode in more:
            entry = zipfile.ZipInfo(name)
            entry.external_attr = mode << 16
            archive.writestr(entry, content)
    return path


def graph(crate, change):
    """Change the graph and make the manifest anew."""
    path = crate / verify_crate.METADATA
    metadata = json.loads(path.read_text(encoding="utf-8"))
    entities = {entity["@id"]: entity for entity in metadata["@graph"]}
    change(entities)
    metadata["@graph"] = list(entities.values())
    path.write_text(json.dumps(metadata), encoding="utf-8")
    small_crate.manifest(crate)


@pytest.mark.parametrize("form", ["folder", "zip", "inside"])
def test_a_sound_crate_passes_with_bare_python_in_any_folder(crate, tmp_path, form):
    place = {"folder": [crate], "zip": [zipped(crate)], "inside": []}[form]
    command = [sys.executable, "-I", "-S", crate / "verify_crate.py", *place]
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert (run.returncode, run.stderr) == (0, "")
    assert "files are those declared.\n" in run.stdout and "2 judged claims of 3" in run.stdout
    assert "Not proven by hashes" in run.stdout


def test_the_oldest_python_that_it_names_can_read_it():
    text = Path(verify_crate.__file__).read_text(encoding="utf-8")
    tree = ast.parse(text, feature_version=(3, 9))
    names = {n.module for n in ast.walk(tree) if isinstance(n, ast.ImportFrom)}
    names |= {a.name for n in ast.walk(tree) if isinstance(n, ast.Import) for a in n.names}
    assert {name.split(".")[0] for name in names} <= sys.stdlib_module_names


@pytest.mark.parametrize(
    ("path", "claims"),
    [
        (MLA, "claims: R-1"),
        (ANALYSIS, "claims: R-1"),
        ("results/benchmark_data/adaptation/base.conditions.json", "claims: T-1"),
        ("resources/architectures.yaml", "claims: R-1"),
        ("workflow/scripts/experiment.py", "claims: R-1, T-1"),
        ("workflow/scripts/stats/judge.py", "all claims"),
        ("results/statistical_summary.json", "all claims"),
        ("results/train/lora-r8/1-sft/seed1/record.json", "no claim"),
    ],
)
def test_one_flipped_byte_names_the_file_and_the_claims_that_rest_on_it(crate, path, claims):
    content = bytearray((crate / path).read_bytes())
    content[len(content) // 2] ^= 1
    (crate / path).write_bytes(content)
    line = next(line for line in faults(crate) if line.startswith(f"{path}: changed"))
    assert line.endswith(f"[{claims}]")
    assert verify_crate.main([str(crate)]) == 1


@pytest.mark.parametrize(
    "path", [MLA, verify_crate.METADATA, verify_crate.MANIFEST, "logs/jobs.jsonl"]
)
def test_a_removed_file_is_named(crate, path):
    (crate / path).unlink()
    assert any(line.startswith(f"{path}: missing") for line in faults(crate))


def test_an_added_file_is_named_whether_or_not_the_manifest_lists_it(crate):
    (crate / "results/benchmark_data/kv_cache/more.csv").write_text("a\n")
    [line] = faults(crate)
    assert line.startswith("results/benchmark_data/kv_cache/more.csv: added")
    small_crate.manifest(crate)
    [line] = faults(crate)
    assert line.endswith("ro-crate-metadata.json does not declare it [no claim]")


def test_compiled_python_is_an_addition_and_the_signature_is_none(crate):
    (crate / verify_crate.SIGNATURE).write_text("signed")
    assert verify_crate.main([str(crate)]) == 0
    (crate / "workflow/__pycache__").mkdir()
    (crate / "workflow/__pycache__/a.pyc").write_bytes(b"")
    for place in (crate, zipped(crate)):
        [line] = faults(place)
        assert "compiled code runs in place of its source: delete it" in line


def test_metadata_that_say_another_end_or_other_inputs_than_the_log_are_told(crate):
    completed = "http://schema.org/CompletedActionStatus"
    graph(crate, lambda entities: entities["#attempt-a1"].update(actionStatus=completed))
    assert any("#attempt-a1 has another end than" in line for line in faults(crate))
    graph(crate, lambda entities: entities["#attempt-a2"].update(object={"@id": "./"}))
    assert any(f"#attempt-a2 read {small_crate.CARDS} by one of" in line for line in faults(crate))


def test_an_analysis_that_its_review_passes_over_is_told(crate):
    def demoted(entities):
        entities["#review-R-1"].pop("isBasedOn")
        entities["#rating-R-1"].update(ratingValue="NOT TESTED")

    graph(crate, demoted)
    assert any(
        line.startswith(f"{ANALYSIS}: the review of R-1 passes it") for line in faults(crate)
    )


def test_a_verdict_edited_with_a_new_manifest_is_not_that_of_the_metadata(crate):
    edit(crate / ANALYSIS, '"verdict": "', '"verdict": "UN')
    small_crate.manifest(crate)
    found = faults(crate)
    assert any(line.startswith(f"{ANALYSIS}: ro-crate-metadata.json says sha256") for line in found)
    assert any(line.startswith(f"{ANALYSIS}: verdict of R-1: UN") for line in found)


@pytest.mark.parametrize(
    ("entity", "key", "what"),
    [
        ("#rating-R-1", "ratingValue", "verdict of R-1"),
        ("#review-R-1", "reviewBody", "sentence of R-1"),
        ("#estimate-R-1", "value", "estimate of R-1"),
        ("#estimate-R-1", "minValue", "interval of R-1"),
    ],
)
def test_a_review_that_says_something_else_is_told_of_both_files(crate, entity, key, what):
    graph(crate, lambda entities: entities[entity].update({key: "another"}))
    for path in (ANALYSIS, "results/statistical_summary.json"):
        assert any(line.startswith(f"{path}: {what}") for line in faults(crate)), path


def test_a_verdict_that_rests_on_nothing_is_told(crate):
    graph(crate, lambda entities: entities["#review-R-1"].pop("isBasedOn"))
    assert any("on R-1 is based on nothing" in line for line in faults(crate))
    graph(crate, lambda entities: entities.pop("#review-R-1"))
    assert any("claim R-1 has no review" in line for line in faults(crate))


def test_evidence_ends_at_a_source_or_the_repository_and_never_goes_through_the_root(crate):
    def cut(entities):
        for action in entities.values():
            if action["@type"] == "CreateAction":
                action["object"] = [{"@id": "./"}]

    graph(crate, cut)
    ends = "reaches no source and no file of the repository"
    assert [line for line in faults(crate) if ends in line] == [
        f"results/analysis/{name}.json: {name} {ends} [claims: {name}]" for name in ("R-1", "T-1")
    ]


def test_an_id_without_an_entity_is_told_and_an_address_needs_none(crate):
    def refer(entities):
        entities["./"]["license"] = {"@id": "https://example.org/licence"}
        entities["./"]["author"] = [{"@id": "#nobody"}]

    graph(crate, refer)
    [line] = faults(crate)
    assert "./ refers to #nobody, which is no entity" in line


def test_an_attempt_that_is_left_out_is_told(crate):
    def failed(entities):
        return next(name for name, e in entities.items() if e["@type"] == "ActivateAction")

    graph(crate, lambda entities: entities.pop(failed(entities)))
    assert any(line.startswith("logs/jobs.jsonl: ro-crate-metadata.json lacks #attempt-")
               for line in faults(crate))  # fmt: skip


def test_a_file_that_is_not_what_its_attempt_made_is_told(crate):
    edit(crate / ANSWERS, "猫。", "私は猫です。")
    small_crate.seal(crate)
    [line] = faults(crate)
    assert line.startswith(f"{ANSWERS}: logs/jobs.jsonl does not say that #attempt-")


@pytest.mark.parametrize(
    "path", [verify_crate.METADATA, ANALYSIS, "results/statistical_summary.json"]
)
@pytest.mark.parametrize("content", ["", "{", "[]", "null", "[" * 10**5, '{"@graph": 7}', "\ud800"])
def test_what_is_no_json_object_is_a_fault(crate, path, content):
    (crate / path).write_bytes(content.encode("utf-8", "surrogatepass"))
    small_crate.manifest(crate)
    assert any(line.startswith(f"{path}: ") for line in faults(crate))


def test_no_metadata_makes_it_stumble(crate):
    """Values of every kind in the place of any other."""
    path, chosen = crate / verify_crate.METADATA, random.Random(7)
    text = path.read_text(encoding="utf-8")
    strange = [None, 7, "", "\ud800", "#x", [], {}, [[]], {"@id": 7}, {"@id": []}, [{"@id": None}]]
    for _ in range(150):
        metadata = json.loads(text)
        entity = chosen.choice(metadata["@graph"])
        entity[chosen.choice([*entity])] = chosen.choice(strange)
        path.write_text(json.dumps(metadata))
        assert faults(crate)


@pytest.mark.parametrize(
    ("name", "mode", "words"),
    [
        ("../outside", 0o644, "no path of a crate"),
        ("/etc/outside", 0o644, "no path of a crate"),
        ("a\\..\\outside", 0o644, "no path of a crate"),
        ("C:/outside", 0o644, "no path of a crate"),
        ("link", stat.S_IFLNK | 0o777, "a link or a device"),
        (MLA, 0o644, "twice in the zip"),
    ],
)
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_members_of_a_zip_that_could_leave_it_are_faults(crate, name, mode, words):
    assert any(words in line for line in faults(zipped(crate, (name, "/etc/passwd", mode))))


def test_links_and_pipes_of_a_folder_are_faults(crate):
    (crate / MLA).unlink()
    (crate / MLA).symlink_to("/etc/hostname")
    (crate / "elsewhere").symlink_to("/etc")
    os.mkfifo(crate / "pipe")
    found = [line for line in faults(crate) if "a link or a device" in line]
    assert [line.partition(":")[0] for line in found] == ["elsewhere", "pipe", MLA]


def test_a_damaged_zip_is_a_fault_and_half_a_one_is_no_crate(crate):
    path = zipped(crate)
    content = bytearray(path.read_bytes())
    place = content.index((crate / MLA).read_bytes())
    content[place + 9] ^= 1
    path.write_bytes(content)
    assert any(line.startswith(f"{MLA}: cannot be read") for line in faults(path))
    path.write_bytes(content[: len(content) // 2])
    assert verify_crate.main([str(path)]) == 2


def test_a_zip_of_another_compression_is_a_fault(crate):
    path = zipped(crate)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("more", "a", zipfile.ZIP_LZMA)
    assert "more: compressed otherwise than zips of crates are [no claim]" in faults(path)


def test_no_damage_to_a_zip_makes_it_stumble(crate):
    path, chosen = zipped(crate), random.Random(7)
    content = path.read_bytes()
    for _ in range(100):
        damaged = bytearray(content)
        for _ in range(chosen.choice([1, 20])):
            place = chosen.choice([chosen.randrange(len(content)), -chosen.randrange(1, 6000)])
            damaged[place] = chosen.randrange(256)
        path.write_bytes(damaged)
        assert verify_crate.main([str(path)]) in (0, 1, 2)


def test_where_there_is_no_crate_the_status_is_two(tmp_path, capsys):
    shutil.copy(verify_crate.__file__, tmp_path / "a.txt")
    for place in (tmp_path, tmp_path / "a.txt", tmp_path / "none"):
        assert verify_crate.main([str(place)]) == 2
        assert capsys.readouterr().out.count("\n") == 1
    assert verify_crate.main(["a", "b"]) == 2


def test_a_name_is_shown_without_what_a_terminal_obeys(crate):
    (crate / "a\x1b[2J\nb").write_text("")
    assert "a\\x1b[2J\\nb: added: manifest-sha256.txt does not list it [no claim]" in faults(crate)
