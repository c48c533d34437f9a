"""The configured analyser reaches the techniques that read words, and no other."""

import json

import pandas as pd
import pytest
from kensho.augment.catalogue import TECHNIQUES, Augmentation, settings_of, sources_of
from kensho.data.corpus import write_table
from kensho.linguistics.tokens import ANALYSERS
from kensho.part import resolve

SENTENCES = ["切符を見せた。", "チケットを見せた。", "先生が手紙を書いた。", "切符を買った。"] * 3
FUGASHI = Augmentation(analyser="fugashi")
# By a model: tests/augment/test_contextual.py
RULED = [n for n, one in TECHNIQUES.items() if one.analysed and not one.guarded]


def test_only_techniques_that_read_words_get_the_analyser():
    for name, technique in TECHNIQUES.items():
        own = getattr(FUGASHI, name).model_dump()
        expected = {**own, "analyser": "fugashi"} if technique.analysed else own
        assert settings_of(FUGASHI, name) == expected
    assert "analyser" not in settings_of(FUGASHI, "bunsetsu")


def test_the_dictionary_of_the_analyser_is_among_the_sources():
    assert "unidic-lite" in sources_of(FUGASHI, "synonyms")
    assert "unidic-lite" not in sources_of(Augmentation(), "synonyms")
    assert "unidic-lite" not in sources_of(FUGASHI, "bunsetsu")


def test_an_unknown_analyser_is_refused():
    with pytest.raises(ValueError, match="analyser"):
        Augmentation(analyser="mecab")


@pytest.mark.parametrize("analyser", ANALYSERS)
@pytest.mark.parametrize("name", RULED)
def test_a_technique_runs_on_either_analyser(tmp_path, name, analyser):
    samples = pd.DataFrame({"id": map(str, range(12)), "ja": SENTENCES, "en": "x"})
    files = {"train": tmp_path / "train.csv", "attested": tmp_path / "attested.csv"}
    for path in files.values():
        write_table(path, samples)
    settings = settings_of(Augmentation(analyser=analyser), name)
    made = resolve(TECHNIQUES[name].code)(samples, files, settings, limit=100, seed=1)
    assert len(made)
    parents = samples.set_index("id")["ja"]
    changed = made[made["ja"] != made["parent"].map(parents)]  # deletions may draw nothing
    assert len(changed) and (name == "eda" or len(changed) == len(made))
    assert all(json.loads(done) for done in changed["operation"])
