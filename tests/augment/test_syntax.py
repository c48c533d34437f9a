import pandas as pd
import pytest
from kensho.augment.parsing import parser
from kensho.augment.syntax import transform, variants


def made(text: str) -> dict[str, str]:
    return {done["rule"]: new for new, done in transform(parser()(text))}


@pytest.mark.parametrize(
    ("text", "passive"),
    [
        ("彼が窓を割った。", "窓が彼によって割られた。"),
        ("先生は昨日トムを褒めました。", "トムは昨日先生によって褒められました。"),
        ("彼がその小説を書いた。", "その小説が彼によって書かれた。"),
        ("警官が泥棒を逮捕した。", "泥棒が警官に逮捕された。"),
    ],
)
def test_direct_passive(text, passive):
    assert made(text)["passive"] == passive


@pytest.mark.parametrize(
    ("text", "cleft"),
    [
        ("彼が窓を割った。", "窓を割ったのは彼だ。"),
        ("彼女は毎朝公園で走ります。", "毎朝公園で走るのは彼女です。"),
    ],
)
def test_cleft(text, cleft):
    assert made(text)["cleft"] == cleft


@pytest.mark.parametrize(
    "text",
    [
        "私が窓を割った。",  # the speaker
        "彼は公園を歩いた。",  # a path
        "彼は自分の車を売った。",
        "彼は自分一人で三人の子供を育てた。",
        "彼は事故で命を落とした。",
        "母は首飾りをくれた。",
        "トムはフランス語を話せる。",
        "トムは妹の面倒を見た。",
        "台風が窓を割った。",  # no person
        "彼が窓を割らなかった。",
        "彼は窓を割ってしまった。",
    ],
)
def test_no_passive(text):
    assert "passive" not in made(text)


def test_no_cleft_of_an_expression_or_a_question():
    for text in ["変な音がする。", "誰が窓を割ったの？", "象は鼻が長い。"]:
        assert not made(text)


def test_variants_are_bounded_and_keep_the_english_side():
    samples = pd.DataFrame({"id": ["1"], "ja": ["彼が窓を割った。"], "en": [""]})
    table = variants(samples, seed=1, per_sample=2, probability=1.0)
    assert set(table["ja"]) == {"窓が彼によって割られた。", "窓を割ったのは彼だ。"}
    assert set(table["en"]) == {""}
    assert len(variants(samples, seed=1, per_sample=1, probability=1.0)) == 1
    assert variants(samples, seed=1, per_sample=2, probability=0.0).empty
