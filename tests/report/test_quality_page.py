"""The page on a corpus: figures that add up, and no text of the corpus that acts on the page."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from kensho.data.measures import MEASURES as MEASURED
from kensho.data.shards import DROPS, MEASURES
from kensho.report import quality

EVIL = "<script>alert(1)</script>"
ABOUT = {
    "licences": ["by"], "attribution": "a & b", "thresholds": {"duplicated_lines": 0.375},
    "near_duplicate": 0.8, "rehearsal": False,
}  # fmt: skip
MISSING = quality.Missing(
    pd.DataFrame([("score", 8, 2, 0.25)], columns=["field", "documents", "missing", "share"]),
    {"statistic": 7.5, "df": 2, "p": 0.0235, "patterns": 3},
    pd.DataFrame(
        [("score", "mean", 8, 0.5, 0.1)], columns=["variable", "method", "rows", "mean", "sd"]
    ),
)


@pytest.fixture
def found(tmp_path):
    """Two shards of four documents each, of which one falls in each, and three rows unread."""
    paths = []
    for shard in range(2):
        rows = [
            {"id": f"x:{n}", "kept": n > 0, **dict.fromkeys(MEASURED, n / 10), "characters": 10 + n}
            for n in range(4)
        ]
        rows[3]["top_2_grams"] = np.nan
        paths.append(tmp_path / f"m{shard}")
        pq.write_table(pa.Table.from_pylist(rows, schema=MEASURES), paths[-1])
    drops = [
        ("x:1", "clean", "html", "HTML markup", "", EVIL),
        ("y:1", "clean", "html", "HTML markup", "", "b"),
        ("x:9", "read", "", "9,000 bytes in one line, more than 5,000", "", ""),
        ("y:9", "read", "", "8,000 bytes in one line, more than 5,000", "", ""),
        ("y:8", "read", "", "'text' is null", "", ""),
    ]
    table = pa.Table.from_pylist([dict(zip(DROPS.names, d, strict=True)) for d in drops], DROPS)
    pq.write_table(table, tmp_path / "d")
    return quality.read(paths, [tmp_path / "d"])


def test_every_row_is_kept_or_in_one_line(found):
    assert (found.read, found.kept) == (11, 6)
    lines = found.drops.set_index(["stage", "reason"])["count"]
    assert lines["read", "… bytes in one line, more than …"] == 2
    assert lines.sum() == found.read - found.kept
    summary = found.summary.set_index(["measure", "documents"])
    assert summary.loc[("characters", "read"), "mean"] == 11.5
    assert summary.loc[("characters", "kept"), "mean"] == 12
    assert summary.loc[("top_2_grams", "read"), "count"] == 6  # what was not measured is not 0
    for edges, every, kept in found.histograms.values():
        assert len(edges) == len(every) + 1 and (kept <= every).all()
    assert found.histograms["characters"][1].sum() == 8


def test_the_page_shows_all_of_it_escaped_and_alone(found):
    page = quality.build("x & y", found, MISSING, None, ABOUT)
    assert EVIL not in page and "&lt;script&gt;alert(1)" in page and "x &amp; y" in page
    assert "http" not in page.replace("http://www.w3.org", "")
    assert page.count("<figure>") == len(found.histograms)
    assert "9,000 bytes in one line" in page and "p = 0.024" in page
    assert "REHEARSAL" in quality.build("x", found, MISSING, None, {**ABOUT, "rehearsal": True})


def test_the_table_holds_the_same_figures(found):
    perplexity = pd.DataFrame({"nat_per_character": [1.0, 3.0, np.nan]})
    table = quality.table(found, MISSING, perplexity).set_index(["section", "name", "statistic"])
    values = table["value"]
    assert values["rows", "rows", "kept"] == 6
    assert values["dropped, clean", "html: HTML markup", "count"] == 2
    assert values["missing", "score", "share"] == 0.25
    assert values["perplexity", "nat per character", "mean"] == 2


def test_an_empty_corpus_has_a_page(tmp_path):
    pq.write_table(pa.Table.from_pylist([], MEASURES), tmp_path / "m")
    pq.write_table(pa.Table.from_pylist([], DROPS), tmp_path / "d")
    found = quality.read([tmp_path / "m"], [tmp_path / "d"])
    test = quality.Missing(MISSING.shares[:0], {**MISSING.test, "p": None}, MISSING.imputed[:0])
    assert "There is nothing to test" in quality.build("x", found, test, None, ABOUT)
