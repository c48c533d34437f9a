"""What published tokenisers make of texts of several kinds, by files trained or written here."""

import base64
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import sentencepiece
from kensho.bench import kinds_of_text, settings
from kensho.bench import published_tokenisers as bench
from kensho.bench.kinds_of_text import Document
from kensho.bench.run import Run
from kensho.bench.tokeniser_arms import KINDS, TEXTS
from kensho.files import sha256, write_json
from kensho.models.tokenizers import load
from kensho.observations import environment, read, write
from kensho.report import tokenisers as page
from kensho.report.translation import Catalogue, english, translated
from kensho.stats import tokenised
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

ROOT = Path(__file__).parents[2]
MIRROR = Path(os.environ.get("KENSHO_MIRROR") or ROOT.parent / "shared" / "data")
LEARNT = ["猫が好き", "犬が好き", "猫と犬", "ネコのミルク", "ABC と 123"] * 20
SENTENCE = "# sent_id = {}\n# text = {}\n# text_en = {}\n1\t猫\t_\n"
PAGES = """# 導入

**FastAPI** は[速い](https://example.org)です。

```Python
# 猫
```

Nothing of it is Japanese.

# 二ページ目
* 終わり<br>
"""


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Tokenisers in the formats that are published: SentencePiece (two), BPE of bytes, tiktoken."""
    folder = tmp_path_factory.mktemp("files")
    for name, extra in (("bytes", {"byte_fallback": True, "vocab_size": 278}), ("lossy", {})):
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(LEARNT),
            model_prefix=str(folder / name),
            minloglevel=2,
            **{"vocab_size": 22, "add_dummy_prefix": False, **extra},
        )
    level = Tokenizer(models.BPE())
    level.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    level.decoder = decoders.ByteLevel()
    level.train_from_iterator(
        LEARNT,
        trainers.BpeTrainer(
            vocab_size=300,
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        ),
    )
    level.save(str(folder / "level.json"))
    pieces = [bytes([byte]) for byte in range(256)] + ["猫".encode()[:2], "猫".encode()]
    lines = [base64.b64encode(piece) + b" %d\n" % rank for rank, piece in enumerate(pieces)]
    (folder / "cl100k.tiktoken").write_bytes(b"".join(lines))
    return {path.stem: path for path in sorted(folder.iterdir()) if path.suffix != ".vocab"}


@pytest.fixture(scope="module")
def tokenisers(files):
    return {name: load(path) for name, path in files.items()}


def documents():
    return [
        *(
            Document("pud-wiki", f"w{i}", ["猫が好き", "犬" * (i + 1)], ["cats", "d"])
            for i in range(4)
        ),
        *(Document("fastapi", f"{i}", ["ネコ ABC"] * (i + 1), []) for i in range(3)),
    ]


def rows_of(table):
    """The table of the page for observations of :func:`documents`."""
    about = {text: {"kind": TEXTS[text].kind} for text in ("pud-wiki", "fastapi")}
    there = {text: one for text, one in about.items() if f"tokens.{text}" in {*table["metric"]}}
    own = {"own": {"kinds": [*KINDS, "unknown"], "documents": there}}
    return tokenised.table({arm: (one, own) for arm, one in table.groupby("arm")}, 0.05)


def value(table, arm, block, metric):
    (found,) = table.query("arm == @arm and block == @block and metric == @metric")["value"]
    return found


def test_parts_of_a_character_are_bytes_in_every_format(tokenisers):
    for name, parts in {"bytes": 3, "level": 3, "cl100k": 3}.items():
        counted = bench.counts(tokenisers[name], ["鯨"])
        assert counted["tokens"] == counted["tokens_byte"] == parts, name
        assert counted["restored"] == 1 and counted["tokens_unknown"] == 0
    assert bench.counts(tokenisers["cl100k"], ["猫"])["tokens_kanji"] == 1


def test_what_is_lost_is_unknown_and_not_given_back(tokenisers):
    counted = bench.counts(tokenisers["lossy"], ["鯨が好き", "猫と犬"])
    assert (counted["tokens_unknown"], counted["tokens_byte"], counted["restored"]) == (1, 0, 1)


def test_every_token_is_of_one_kind(tokenisers):
    for tokeniser in tokenisers.values():
        counted = bench.counts(tokeniser, ["猫が好き", "ネコ ABC 123。", "鯨"])
        kinds = [counted[f"tokens_{kind}"] for kind in (*KINDS, "unknown")]
        assert sum(kinds) == counted["tokens"]


def test_a_line_without_a_token_is_refused_with_the_tokeniser(tokenisers):
    empty = [Document("fastapi", "1", [""], [])]
    with pytest.raises(ValueError, match=r"bytes: no token for ''; leave this tokeniser out"):
        bench.observe({"bytes": tokenisers["bytes"]}, empty, 2, 0)


def test_observations_are_of_documents_and_ratios_those_of_their_totals(tokenisers):
    made = bench.observe(tokenisers, documents(), 3, 7)
    assert value(made, "cl100k", "document-pud-wiki.w0", "characters.pud-wiki") == 5
    assert value(made, "cl100k", "document-pud-wiki.w0", "tokens_en.pud-wiki") == 5
    block = "document-fastapi.1"
    tokens, words = (value(made, "cl100k", block, f"{m}.fastapi") for m in ("tokens", "words"))
    assert value(made, "cl100k", block, "tokens_per_word.fastapi") == tokens / words
    assert value(made, "level", "vocabulary", "vocabulary") == tokenisers["level"].size
    rows = rows_of(made)
    assert [*rows["text"].unique()] == ["pud-wiki", "fastapi"]
    row = rows.query("tokeniser == 'cl100k' and text == 'pud-wiki'").iloc[0]
    characters, tokens = 4 * 4 + 10, 4 * (1 + 3 + 3 + 3) + 10 * 3
    assert row["documents"] == 4 and row["characters"] == characters
    assert row["characters_per_token"] == pytest.approx(characters / tokens)
    assert row["characters_per_token_low"] < row["characters_per_token"]
    assert row["characters_per_token_high"] > row["characters_per_token"]
    assert row["tokens_of_english"] == pytest.approx(tokens / (4 * 5))
    assert row["byte_share"] == pytest.approx((tokens - 4) / tokens)
    assert row["characters_per_second_low"] < row["characters_per_second"]
    technical = rows[rows["text"] == "fastapi"]
    assert technical["tokens_of_english"].isna().all()  # it has no English side
    assert (rows["restored_share"] == 1).sum() >= 6


def test_neither_order_of_documents_nor_of_rows_matters(tokenisers):
    one = {"bytes": tokenisers["bytes"]}
    observed, back = (bench.observe(one, own, 2, 1) for own in (documents(), documents()[::-1]))
    counted = [
        table[table["unit"] != "s"].sort_values(["block", "metric"]).reset_index(drop=True)
        for table in (observed, back)
    ]
    pd.testing.assert_frame_equal(*counted)
    mixed = observed.sample(frac=1, random_state=0)
    tables = [rows_of(table) for table in (observed, mixed)]
    pd.testing.assert_frame_equal(*tables)


def test_one_document_has_a_figure_and_no_interval(tokenisers):
    made = bench.observe({"level": tokenisers["level"]}, documents()[:1], 2, 0)
    row = rows_of(made).iloc[0]
    assert row["characters_per_token"] > 0 and np.isnan(row["characters_per_token_low"])


def test_documents_are_drawn_by_text_and_seed():
    many = [
        Document(text, str(i), ["猫"], []) for text in ("fastapi", "livedoor") for i in range(9)
    ]
    chosen = [bench.drawn(many, 3, seed) for seed in (1, 1, 2)]
    assert chosen[0] == chosen[1] != chosen[2]
    assert [one.text for one in chosen[0]] == ["fastapi"] * 3 + ["livedoor"] * 3
    assert bench.drawn(many, 99, 1) == many


def recorded(folder, name, file, content):
    path = folder / file
    path.write_text(content, encoding="utf-8")
    record = {"name": name, "path": str(path), "sha256": sha256(path), "bytes": path.stat().st_size}
    write_json(folder / f"{name}.json", record)
    return folder / f"{name}.json"


def test_a_text_that_is_missing_is_named_and_its_metrics_are_absent(files, tmp_path):
    held = {
        "name": "level",
        "path": str(files["level"]),
        "sha256": sha256(files["level"]),
        "bytes": files["level"].stat().st_size,
    }
    write_json(tmp_path / "level.json", held)
    inputs = {
        "models": [],
        "records": [tmp_path / "level.json"],
        "texts": [recorded(tmp_path, "fastapi-ja", "x.md", PAGES)],
    }
    why = {"ud-japanese-pud": "not at hand", "tokenizer-llama-2": "licence class"}
    own = settings.PublishedTokenisers(documents=2, passes=2)
    ((made, conditions),) = bench.experiment(inputs, own, Run(tmp_path, left_out=why))
    write(tmp_path / "out", made, {**environment(), **conditions})
    _, stored = read(tmp_path / "out/level.csv")
    assert stored["tier"] == "at-scope"
    assert stored["absent"]["tokens_en.pud-wiki"] == "not at hand"
    assert stored["absent"]["tokens_per_word.pud-news"] == "not at hand"
    assert "tokens.fastapi" not in stored["absent"]
    assert stored["own"]["documents"] == {"fastapi": {"kind": "technical", "used": 2, "of": 2}}
    assert "tokenizer-llama-2 left out: licence class" in stored["fallbacks"]
    rows = tokenised.table({"level": (made, stored)}, 0.05)
    html = page.build(rows, stored["own"]["left_out"], "", rehearsal=False)
    assert "technical: fastapi" in html and "not at hand" in html and "news: " not in html


def test_a_source_that_could_not_be_had_stops_it(tmp_path):
    write_json(tmp_path / "x.json", {"name": "x", "path": None, "reason": "x: not to be had"})
    inputs = {"models": [], "records": [], "texts": [tmp_path / "x.json"]}
    with pytest.raises(ValueError, match="x: not to be had"):
        bench.experiment(inputs, settings.PublishedTokenisers(), Run(tmp_path))


def test_pages_are_lines_of_japanese_without_code_and_markup(tmp_path):
    (tmp_path / "x.md").write_text(PAGES, encoding="utf-8")
    first, second = kinds_of_text.read("fastapi-ja", tmp_path / "x.md")
    assert first.ja == ["導入", "FastAPI** は[速い]です。"] and second.ja == [
        "二ページ目",
        "終わり",
    ]


def test_sentences_of_parallel_dependencies_are_put_together_by_document(tmp_path):
    path = tmp_path / "x.conllu"
    sentences = [
        ("n01001011", "猫。", "Cat."),
        ("n01001013", "犬。", "Dog."),
        ("w01001011", "鯨。", "W."),
    ]
    path.write_text("\n".join(SENTENCE.format(*one) for one in sentences) + "\n", encoding="utf-8")
    news, wiki = kinds_of_text.read("ud-japanese-pud", path)
    assert news == Document("pud-news", "n01001", ["猫。", "犬。"], ["Cat.", "Dog."])
    assert wiki.text == "pud-wiki" and wiki.en == ["W."]
    path.write_text("# sent_id = n01001011\n# text = 猫。\n", encoding="utf-8")
    with pytest.raises(ValueError, match=r"without 'text_en'; put the file of release 2\.2 there"):
        kinds_of_text.read("ud-japanese-pud", path)


@pytest.mark.parametrize(
    ("source", "file", "texts"),
    [
        ("ud-japanese-pud", "ud-japanese-pud/ja_pud-ud-test.conllu", {"pud-wiki", "pud-news"}),
        ("wikipedia-annotated-corpus", "wikipedia-annotated-corpus/org.tar.gz", {"wikipedia"}),
        ("livedoor-news", "livedoor-news/livedoor-news-subset.tar.gz", {"livedoor"}),
    ],
)
def test_published_files_are_read_whole(source, file, texts):
    if not (MIRROR / file).is_file():
        pytest.skip(f"needs {MIRROR / file} (KENSHO_MIRROR)")
    documents = kinds_of_text.read(source, MIRROR / file)
    assert {one.text for one in documents} == texts and all(one.ja for one in documents)
    assert len({(one.text, one.name) for one in documents}) == len(documents)
    if source == "ud-japanese-pud":
        assert sum(len(one.ja) for one in documents) == 1000
        assert all(len(one.ja) == len(one.en) for one in documents)


def test_every_text_is_of_a_source_that_can_be_read():
    assert {text.source for text in TEXTS.values()} == {*kinds_of_text.READERS}


@pytest.mark.parametrize("some", [True, False])
def test_the_page_is_japanese_in_japanese(tokenisers, some):
    catalogue = Catalogue.read(sorted((ROOT / "resources/languages/ja").glob("*.yaml")))
    made = bench.observe({"level": tokenisers["level"]}, documents(), 2, 0)
    rows = rows_of(made) if some else tokenised.table({}, 0.05)
    why = {"x": "licence class nd is not accepted (licences)"}
    html = page.build(rows, why, "", rehearsal=False)
    assert english(html) and english(translated(html, catalogue, "ja")) == []
