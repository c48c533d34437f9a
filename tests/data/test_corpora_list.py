"""The list of corpora: what is wrong in it, and what keeps one from being made."""

from pathlib import Path

import pytest
import yaml
from kensho.data import corpora, sources
from kensho.data.corpora import Corpora, Corpus
from kensho.data.hub import Locked
from pydantic import ValidationError

ROOT = Path(__file__).parents[2]
LISTED, FAULTS = corpora.load(ROOT / "config/corpora.yaml")
SOURCES = sources.load(ROOT / "config/sources.yaml")[0]
OWN = {"path": "own/notes.jsonl", "licence_class": "permissive"}
AOZORA = {"sources": ["aozora-31"], "format": "aozora"}
MIXTURE = {"mixture": {"aozora": 1.0}, "size": 9}
SIDES = {"ja": "j", "en": "e"}
LICENCES = ["permissive", "public-domain", "by", "by-sa"]
LOCKED = {
    "endpoint": "https://x", "commit": "0" * 40, "resolved": "2026-01-01", "answered": "a/b",
    "gated": False, "files": {f"{n}.parquet": {"sha256": "0" * 64, "bytes": 1} for n in range(5)},
}  # fmt: skip


def unfit(licences=LICENCES, **settings):
    return [*corpora.unfit(Corpora.model_validate(settings), LISTED, SOURCES, licences)]


def test_the_list_is_sound_and_nothing_of_it_is_made_by_default():
    assert FAULTS == [] and unfit() == [] and Corpora().make == []
    assert {one.kind for one in LISTED.values() if not one.mixture} == {"text", "pairs", "dialogue"}


def test_three_lines_add_a_corpus_of_ones_own():
    text = "make: [notes]\nown:\n  notes: {path: own/notes.jsonl, licence_class: permissive}\n"
    assert unfit(**yaml.safe_load(text)) == []


@pytest.mark.parametrize(
    ("entry", "line"),
    [
        ({"pth": "x.csv", "licence_class": "by"}, "own.pth: unknown key, did you mean 'path'?"),
        ({"path": "x.csv"}, "own: its licence is not known; put `licence_class`"),
        ({**OWN, "hub": "a/b"}, "own: one place is needed; name one of hub"),
        ({"hub": "a/b", "licence_class": "by"}, "own: a dataset of the hub has many files; name"),
        ({**OWN, "path": "x.txt"}, "own: a file like x.txt has no known form; put `format`"),
        ({**OWN, "fields": {"ja": "j"}}, "own: a pair has two sides; name both"),
        ({**OWN, "fields": {"txt": "j"}}, "own.fields.txt: unknown key, did you mean 'text'?"),
        ({"mixture": {"aozora": 1.0}}, "own: a mixture has no end of its own; put its `size`"),
        ({**OWN, "licence_class": "bye"}, "own.licence_class: expected 'permissive'"),
        ({**OWN, "fields": {"text": "b", **SIDES}}, "not fields.text and fields.ja; leave one out"),
        ({**OWN, "fields": {"text": "b", "turns": "t"}}, "not fields.text and fields.turns; leave"),
        ({**OWN, "fields": {"turns": "t", **SIDES}}, "not fields.ja and fields.turns; leave one"),
        ({**OWN, "language": "jp"}, "own.language: expected 'ja', 'en', 'ja-en' or 'en-ja'"),
        (
            {**OWN, "language": "en-ja"},
            "own: 'en-ja' is no language of text; put `language`: ja or",
        ),
        ({**OWN, "fields": SIDES}, "own: 'ja' is no language of pairs; put `language`: ja-en or"),
        ({**OWN, "first": 2}, "own: `first` says nothing of a corpus by `path`; leave it out"),
        ({**OWN, "unit": "characters"}, "own: `unit` says nothing of a corpus by `path`; leave"),
        ({**OWN, "revision": "0" * 40}, "own: `revision` says nothing of a corpus by `path`"),
        ({**AOZORA, "first": 1}, "own: `first` says nothing of a corpus by `sources`; leave"),
        (
            {**AOZORA, "licence_class": "by"},
            "`licence_class` says nothing of a corpus by `sources`",
        ),
        ({**MIXTURE, "language": "en"}, "own: `language` says nothing of a corpus by `mixture`"),
        ({**MIXTURE, "fields": {"text": "x"}}, "`fields` says nothing of a corpus by `mixture`"),
        (
            {**AOZORA, "fields": {"text": "x"}},
            "own: `fields` says nothing of the form aozora; leave",
        ),
        ({**OWN, "path": "x.tsv", "format": "tatoeba"}, "own: 'ja' is no language of pairs; put"),
    ],
)
def test_a_wrong_entry_is_one_line_with_its_key(tmp_path, entry, line):
    path = tmp_path / "corpora.yaml"
    path.write_text(yaml.safe_dump({"own": entry}), encoding="utf-8")
    found, [fault] = corpora.load(path)
    assert found == {} and fault.startswith(f"{path}: own") and line in fault


def test_what_cannot_be_made_is_named_with_the_mend():
    [line] = unfit(make=["wikipedia-jp"])
    assert line == "config: corpora.make: no corpus 'wikipedia-jp', did you mean 'wikipedia-ja'?"
    [line] = unfit(make=["cc100-ja"])
    assert "common-crawl-terms" in line and line.endswith("if you accept it")
    [line] = unfit(make=["livedoor"])  # the class of its source
    assert "licence class nd" in line
    [line] = unfit(own={"aozora": OWN})
    assert line == "config: corpora.own.aozora: the name is taken; rename it"
    mixture = {"mixture": {"aosora": 0.5, "livedoor": 0.5}, "size": 9}
    [wrong, class_] = unfit(make=["both"], own={"both": mixture})
    assert "no corpus 'aosora', did you mean 'aozora'?" in wrong and "livedoor" in class_


def test_a_mixture_makes_the_corpora_that_it_draws_on():
    settings = Corpora(make=["japanese-english", "aozora"])
    assert corpora.parts(settings, LISTED) == ["aozora", "wikipedia-ja", "wikipedia-en"]
    assert corpora.mixtures(settings, LISTED) == ["japanese-english"]


def test_what_is_not_pinned_is_not_read(tmp_path, monkeypatch):
    corpus = LISTED["wikipedia-ja"]
    assert "not pinned" in corpora.absent("wikipedia-ja", corpus, {})
    locked = {"wikipedia-ja": Locked.model_validate(LOCKED)}
    assert corpora.absent("wikipedia-ja", corpus, locked) is None
    other = corpus.model_copy(update={"revision": "1" * 40})
    assert "another commit" in corpora.absent("wikipedia-ja", other, locked)
    monkeypatch.chdir(tmp_path)
    own = Corpus.model_validate(OWN)
    assert "no file own/notes.jsonl; put it there" in corpora.absent("notes", own, {})
    (tmp_path / "own/notes.jsonl").mkdir(parents=True)
    assert "no file own/notes.jsonl" in corpora.absent("notes", own, {})  # a folder
    (tmp_path / "own/notes.jsonl").rmdir()
    (tmp_path / "own/notes.jsonl").write_text("")
    assert corpora.absent("notes", own, {}) is None


@pytest.mark.parametrize("shards", [1, 2, 5, 7])
def test_files_are_dealt_whole_where_there_are_enough(shards):
    files = [f"{number}" for number in range(5)]
    dealt = [corpora.dealt(files, shard, shards) for shard in range(shards)]
    if shards > len(files):  # then each is shared by all
        assert dealt == [[0, 1, 2, 3, 4]] * shards
    else:
        assert sorted(number for each in dealt for number in each) == [0, 1, 2, 3, 4]


def test_settings_are_strict():
    for wrong in ({"filters": ["htlm"]}, {"max_row_bytes": 10**19}):
        with pytest.raises(ValidationError):
            Corpora.model_validate(wrong)
