import pandas as pd
import pytest
from kensho.augment.honorific import left_out, transform, variants
from kensho.linguistics.tokens import ANALYSERS

ANALYSED = pytest.mark.parametrize("analyser", ANALYSERS)
BOTH_WAYS = [
    ("先生が手紙を書いた。", "先生が手紙をお書きになった。"),
    ("先生がそう言った。", "先生がそうおっしゃった。"),
    ("先生は英語を研究する。", "先生は英語を研究なさる。"),
]
ONE_WAY = [  # of the honorific verb there are several plain ones, or お読み is a noun
    ("社長は新聞を読みます。", "社長は新聞をお読みになります。"),
    ("部長は家に帰りました。", "部長は家にお帰りになりました。"),
    ("社長は東京へ行きます。", "社長は東京へいらっしゃいます。"),
    ("先生が魚を食べた。", "先生が魚を召し上がった。"),
    ("教授は絵を見ました。", "教授は絵をご覧になりました。"),
]
LEFT = [
    ("弟が手紙を書いた。", "no person of rank as its subject"),
    ("先生が来ないだろう。", "no verb in the simple nonpast or past at its end"),
    ("先生が本を読んで、弟が寝た。", "more than one clause"),
    ("先生は犬が好きな人を呼んだ。", "no person of rank as its subject"),
    ("先生に弟が会った。", "no person of rank as its subject"),
    ("先生が寝た。", "no sure counterpart of its verb"),
    ("社長は東京へいらっしゃった。", "no sure counterpart of its verb"),
]


@ANALYSED
@pytest.mark.parametrize(("plain", "honorific"), BOTH_WAYS)
def test_both_directions(plain, honorific, analyser):
    assert transform(plain, analyser)[0] == honorific
    if analyser == "sudachi" or "研究" not in plain:
        assert transform(honorific, analyser)[0] == plain


@ANALYSED
@pytest.mark.parametrize(("plain", "honorific"), ONE_WAY)
def test_only_to_honorific(plain, honorific, analyser):
    assert transform(plain, analyser)[0] == honorific
    assert transform(honorific, analyser) == "no sure counterpart of its verb"


@ANALYSED
@pytest.mark.parametrize(("text", "why"), LEFT)
def test_what_is_not_sure_is_left_with_its_reason(text, why, analyser):
    assert transform(text, analyser) == why


def test_every_text_is_counted_once():
    texts = [text for text, _ in BOTH_WAYS + LEFT]
    counts = left_out(texts)
    assert counts.sum() == len(texts)
    assert counts["plain or polite to honorific"] == len(BOTH_WAYS)


def test_other_rows_and_their_order_change_nothing():
    texts = [text for text, _ in BOTH_WAYS * 6]
    samples = pd.DataFrame({"id": [*map(str, range(len(texts)))], "ja": texts, "en": "x"})
    settings = {"seed": 3, "per_sample": 1, "probability": 0.5}
    whole = variants(samples, **settings).set_index("id")
    assert 0 < len(whole) < len(samples)
    part = variants(samples.iloc[::-2], **settings).set_index("id")
    pd.testing.assert_frame_equal(part.sort_index(), whole.loc[sorted(part.index)])
