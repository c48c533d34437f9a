"""The style of a text by analysis: what it ends in, not how it looks."""

import pytest
from kensho.jlce import metrics
from kensho.jlce.metrics import is_polite

POLITE = {
    "particles": (
        "行きますよ〜。|行きますわよ|いいですねえ|行きませんかね|行きますもの|"
        "行きますってば|ですよね。|行きますから|行きますけど|行きますので。|"
        "行きましょうよ|合格しますように。"
    ),
    "conjunctions": (
        "行きますけれども。|忙しいですけれども。|行きますのに。|行きますけども|静かですのに|"
        "行きますけれど。|行きますけど。"
    ),
    "faces": ("良いですΣ(ﾟДﾟ)|良いですm(_ _)m|行きますo(^-^)o|行きますヽ(^o^)ノ|行きます(´・ω・`)"),
    "homographs": "髪がはげました.|髪がはげました。|頭がはげます",
    "reports": "お客様は神様です、とのことです。|行きます。とのことです。",
    "drawn out": "行きまーす|そうでーす！|行きましたー|行きますよっ！|いいですねぇ|ですぅ",
    "behind it": (
        "行きます😊|行きます(笑)|行きますwww|行きます♪|行きます(^^)/|"
        "行きます。（丁寧体）|行きますけどね…"
    ),
    "marks": "行きます|行きます｡|行きます．|行きます!!|３．５kgです．",
    "quotes": (
        "彼は「行く」と言いました。|「行きます。」|『もう帰りますか？』|"
        "彼は言いました。「行く」と。"
    ),
    "questions": "これは何ですか。|行くでしょうか|行きますか？|行きませんか、本当に？",
    "requests": (
        "窓を開けてください|お待ち下さいね！|お召し上がりください|いらっしゃいませ|"
        "おやすみなさい|ごめんなさいね。"
    ),
    "humble": (
        "先生がいらっしゃいます|私が参ります|学生でございます。|お願いいたします。|"
        "お願い申し上げます"
    ),
    "ます-like stems": (
        "弟を励まします。|用事を済ましました|目を覚ましません|頭を悩ますのです|無料ですみます"
    ),
    "sentences": (
        "雨が降った。だから行きませんでした。|今日は雨です。素敵な一日。|"
        "行きます、明日。|答え：行きます。"
    ),
    "contracted": "泳いでます|一人で運べます|食べちゃいました|行かないです|飲みたいんです",
}
PLAIN = {
    "ます-like stems": (
        "母が弟を励ました。|用事を済ました。|目を覚ました|頭を悩ました。|彼をだました|"
        "耳を澄ました。|声がこだました。|警告ですんだ。|電話ですます"
    ),
    "conjunctions": (
        "行くけれども。|忙しいけれども。|行くのに。|静かなのに。|行きますけれども行かない"
    ),
    "faces": "良いΣ(ﾟДﾟ)|行くm(_ _)m|来た(です)|行くヽ(^o^)ノ",
    "homographs": "母が弟をはげました。|弟をはげます.|彼をだました.|母が弟を励ました.",
    "reports": (
        "お客様は神様です、とのこと。|行きます、とのこと。|来ます、という話。|来ます、とのことだ。"
    ),
    "names": (
        "釣ったのはヒメマス|夕食はます|名前はエルデス|彼の名はデス。|焼いた鱒(ます)|"
        "メリークリスマス！|語尾は「です」だ。"
    ),
    "honorific": "先生がいらっしゃる。|先生がおっしゃった|私が参る。|お願いする。",
    "imperatives": "早く行きなさい。|窓を開けてくれ。|窓を開けて。|行け！|食べるな",
    "particles": "行くよ〜|行くぞ！|学生だよね|寒いね〜|行くの？|行くっけ",
    "behind it": "来た😊|来たw|来た（です）|来た(笑)",
    "quotes": (
        "彼は「行きます」と言った。|「もう帰ります。」と彼女は答えた。|"
        "彼が言ったのは「行きます」。|「行きます」と彼。"
    ),
    "nouns": "今日は雨。|彼は学生|昨日行きました店|彼は行きますが、私は学生。",
    "clauses": "行きますので行かない|来ますと聞いたんだ。|行きますと言われても困る",
    "forms": (
        "である。|行くのだ|行こう。|だろう？|行くのであろう|飲みたい|このほうがまし。|"
        "遅くともしないよりまし。"
    ),
    "sentences": "雨が降りました。だから行かなかった。|今日は雨だ。素敵な一日。",
    "nothing": "| |。|I go.",
}


@pytest.mark.parametrize("kind", POLITE)
def test_polite(kind):
    assert [text for text in POLITE[kind].split("|") if not is_polite(text)] == []


@pytest.mark.parametrize("kind", PLAIN)
def test_plain(kind):
    assert [text for text in PLAIN[kind].split("|") if is_polite(text)] == []


@pytest.mark.parametrize(
    ("direction", "answer", "right"),
    [
        ("丁寧体", "母が弟を励ました。", 0),
        ("普通体", "母が弟を励ました。", 1),
        ("丁寧体", "母が弟を励ましましたよ〜", 1),
        ("普通体", "", 0),
    ],
)
def test_the_task_asks_for_one_style(direction, answer, right):
    doc = {"direction": direction, "references": ["母が弟を励ました。"]}
    assert metrics.style(doc, [answer])["style_acc"] == right


@pytest.mark.parametrize(
    "text",
    [
        "あ" * 100_000,
        "「" * 9000 + "」" * 9000,
        "行きます、" * 5000,
        "w" * 30_000 + "a",
        "・" * 30_000 + "a",
    ],
)
def test_any_text_is_read_in_time(text):
    assert is_polite(text) in (True, False)
