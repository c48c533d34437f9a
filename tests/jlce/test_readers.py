"""Public datasets in our form, from the mirror; small samples of each form by hand."""

import os
from pathlib import Path

import pytest
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
}


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


def test_bunsetsu_are_joined_words(tmp_path):
    path = tmp_path / "x.conllu"
    row = "{}\t{}\t_\t{}\t_\t_\t{}\t{}\t_\tBunsetuBILabel={}|SpaceAfter=No"
    rows = [(1, "猫", "NOUN", 3, "nsubj", "B"), (2, "が", "ADP", 1, "case", "I")]
    rows += [(3, "寝る", "VERB", 0, "root", "B")]
    path.write_text("# sent_id = a\n" + "\n".join(row.format(*r) for r in rows) + "\n\n")
    (found,) = readers.universal_dependencies(path)
    assert found.bunsetsu == ["猫が", "寝る"] and found.heads == [3, 1, 0]
