"""Public datasets in our form: small files of our own in each published format (``published``),
and, where the mirror is at hand, the published files whole."""

import io
import os
import tarfile
from pathlib import Path

import pytest
import yaml
from kensho.jlce import items, readers
from kensho.jlce.catalogue import PUBLIC

MIRROR = Path(os.environ.get("KENSHO_MIRROR") or Path(__file__).parents[3] / "shared" / "data")
FILES = {
    "jsquad": ("jglue/datasets/jsquad-v1.3/valid-v1.3.json", 4300),
    "jnli": ("jglue/datasets/jnli-v1.3/valid-v1.3.json", 2434),
    "jcommonsenseqa": ("jglue/datasets/jcommonsenseqa-v1.3/valid-v1.3.json", 1119),
    "jrte-sentiment": ("jrte-corpus/data/pn.tsv", 414),
    "jcola": ("jcola/data/jcola-v1.0/in_domain_valid-v1.0.json", 865),
    "mgsm-ja": ("mgsm/mgsm/mgsm_ja.tsv", 250),
    "neubaroco": ("neubaroco/acl2024/NeuBAROCO_NLI.tsv", 790),
    "livedoor-news": ("livedoor-news/livedoor-news-subset.tar.gz", 360),
    "bsd": ("bsd/test.json", 2000),
    "ud-japanese-gsd": ("ud-japanese-gsd/ja_gsd-ud-test.conllu", 543),
    "ud-japanese-gsdluw": ("ud-japanese-gsdluw/ja_gsdluw-ud-test.conllu", 543),
}
PUBLISHED = Path(__file__).parent / "published"
ITEMS = yaml.safe_load((PUBLISHED / "items.yaml").read_text(encoding="utf-8"))
ARTICLES = {
    "text/README.txt": "Read me\nfirst\nof all\n",
    "text/sports/LICENSE.txt": "licence\n\n\n",
    "text/sports/sports-12.txt": "http://example.org/12\n2011-01-01T00:00:00+0900\n「橋」が開通\n"
    "\u3000渡った。\n\n以上。\n",
}
TEXTS = sorted({*readers.READERS} - {"livedoor-news"})


def published(name):
    """Our small file of a dataset, as bytes."""
    if name in TEXTS:
        [path] = PUBLISHED.glob(f"{name}.*")
        return path.read_bytes()
    stored = io.BytesIO()
    with tarfile.open(fileobj=stored, mode="w:gz") as archive:
        for article, text in ARTICLES.items():
            member = tarfile.TarInfo(article)
            member.size = len(text.encode())
            archive.addfile(member, io.BytesIO(text.encode()))
    return stored.getvalue()


@pytest.fixture
def read(tmp_path):
    """A function that reads a dataset from bytes, as dictionaries of what the reader set."""

    def reads(name, content):
        (tmp_path / name).write_bytes(content)
        return [item.model_dump(exclude_unset=True) for item in readers.read(name, tmp_path / name)]

    return reads


@pytest.mark.parametrize("name", FILES)
def test_the_dataset_is_read_whole(name):
    path, least = MIRROR / FILES[name][0], FILES[name][1]
    if not path.is_file():
        pytest.skip(f"needs {path} (KENSHO_MIRROR)")
    kind, reader = PUBLIC[name], readers.READERS[name]
    found = list(reader(path))
    assert len(found) >= least
    assert len({item.id for item in found}) == len(found)
    assert {type(item) for item in found} == {items.KINDS[kind]}


@pytest.mark.parametrize("name", readers.READERS)
def test_each_item_of_a_small_file_is_read_and_no_other(read, name):
    assert read(name, published(name)) == [{"split": "test", **item} for item in ITEMS[name]]


@pytest.mark.parametrize("name", TEXTS)
def test_lines_may_end_as_on_windows(read, name):
    content = published(name).replace(b"\n", b"\r\n")
    assert read(name, content) == [{"split": "test", **item} for item in ITEMS[name]]


@pytest.mark.parametrize(
    ("name", "right", "wrong"),
    [
        ("jsquad", '"question": "何が', '"frage": "何が'),
        ("jsquad", "何がないか。", ""),
        ("jnli", '"neutral"', '"unknown"'),
        ("jnli", "犬は眠っている。", ""),
        ("jcommonsenseqa", '"label": 1', '"label": 5'),
        ("jcommonsenseqa", '"label": 1', '"label": "1"'),
        ("jcommonsenseqa", "ﾔｶﾝ", ""),
        ("jrte-sentiment", "\t-1\t", "\t-2\t"),
        ("jrte-sentiment", "廊下が、寒い。", ""),
        ("jcola", '"label":0', '"label":2'),
        ("jcola", "海が青い。", ""),
        ("mgsm-ja", "\t18", "\t十八"),
        ("mgsm-ja", "\t18", "\t"),
        ("mgsm-ja", "半分は？", ""),
        ("neubaroco", "contradiction", "unknown"),
        ("neubaroco", "鳥は泳ぐ。", ""),
        ("neubaroco", "hypothesis_ja", "hypothesis"),
        ("bsd", "Yes.", ""),
        ("bsd", '"no": 2, ', ""),
        ("ud-japanese-gsd", "\t4\tnsubj", "\t9\tnsubj"),
        ("ud-japanese-gsd", "\t4\tnsubj", "\t_\tnsubj"),
        ("ud-japanese-gsd", "\t0\troot", "\t1\troot"),
        ("ud-japanese-gsd", "# sent_id = t-2\n", ""),
    ],
)
def test_a_wrong_or_an_empty_field_is_an_error_that_names_the_file(
    tmp_path, read, name, right, wrong
):
    content = published(name).decode()
    assert right in content
    with pytest.raises(ValueError, match=f"{tmp_path / name}: not {name} as it was published"):
        read(name, content.replace(right, wrong).encode())


@pytest.mark.parametrize("name", readers.READERS)
def test_a_file_that_was_cut_is_an_error_that_names_it(tmp_path, read, name):
    content = published(name)
    # in the last record, or in the archive
    cut = content.rstrip(b"\n]}").rindex(b"\n") + 8 if name in TEXTS else len(content) // 2
    with pytest.raises(ValueError, match=f"{tmp_path / name}: not {name} as it was published"):
        read(name, content[:cut])


@pytest.mark.parametrize("name", readers.READERS)
def test_an_empty_file_is_an_error_that_names_it(tmp_path, read, name):
    with pytest.raises(ValueError, match=f"{tmp_path / name}: "):
        read(name, b"")
