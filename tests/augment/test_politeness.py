import json

import pandas as pd
import pytest
from kensho.augment.politeness import conjugate, lexical_verbs, transform, variants
from kensho.linguistics.tokens import ANALYSERS

ANALYSED = pytest.mark.parametrize("analyser", ANALYSERS)
# UniDic's お + 金 + に + なる looks like the honorific お…になる, which is left alone.
ONE_WORD_IN_SUDACHI = {"これはお金になる。"}

BOTH_WAYS = [
    ("学校へ行く。", "学校へ行きます。"),
    ("学校へ行った。", "学校へ行きました。"),
    ("肉を食べない。", "肉を食べません。"),
    ("肉を食べなかった。", "肉を食べませんでした。"),
    ("山は高かった。", "山は高かったです。"),
    ("山は高いよ。", "山は高いですよ。"),
    ("彼は学生だ。", "彼は学生です。"),
    ("彼は学生だった。", "彼は学生でした。"),
    ("海は静かではない。", "海は静かではありません。"),
    ("彼は学生じゃなかった。", "彼は学生じゃありませんでした。"),
    ("部屋は綺麗だった。", "部屋は綺麗でした。"),
    ("友達が来る。", "友達が来ます。"),
    ("友達が来なかった。", "友達が来ませんでした。"),
    ("友達が来た。", "友達が来ました。"),
    ("英語を勉強する。", "英語を勉強します。"),
    ("英語を勉強した。", "英語を勉強しました。"),
    ("英語を勉強しなかった。", "英語を勉強しませんでした。"),
    ("英語を勉強しよう。", "英語を勉強しましょう。"),
    ("家に帰った。", "家に帰りました。"),
    ("本を読んだ。", "本を読みました。"),
    ("誰とも話さなかった。", "誰とも話しませんでした。"),
    ("海で泳いだ。", "海で泳ぎました。"),
    ("手紙を書いた。", "手紙を書きました。"),
    ("少し待とう。", "少し待ちましょう。"),
    ("車を買わない。", "車を買いません。"),
    ("車を買った。", "車を買いました。"),
    ("犬が死んだ。", "犬が死にました。"),
    ("空を飛ぶ。", "空を飛びます。"),
    ("お金がない。", "お金がありません。"),
    ("机の上に本がある。", "机の上に本があります。"),
    ("事故があった。", "事故がありました。"),
    ("彼は寝ている。", "彼は寝ています。"),
    ("彼は寝てる。", "彼は寝てます。"),
    ("彼は皆に愛されている。", "彼は皆に愛されています。"),
    ("水が飲みたい。", "水が飲みたいです。"),
    ("雨が降るだろう。", "雨が降るでしょう。"),
    ("それは本当だろうか。", "それは本当でしょうか。"),
    ("彼は来ないかもしれない。", "彼は来ないかもしれません。"),
    ("行かなければならない。", "行かなければなりません。"),
    ("木にぶつかったんだ。", "木にぶつかったんです。"),
    ("もう知っているのだ。", "もう知っているのです。"),
    ("いい天気だね。", "いい天気ですね。"),
    ("今日は爽やかな日だよね。", "今日は爽やかな日ですよね。"),
    ("それを見つけたの?", "それを見つけたのですか?"),
    ("どこで買ったのか。", "どこで買ったのですか。"),
    ("外に出た?", "外に出ましたか?"),
    ("一緒に行かない?", "一緒に行きませんか?"),
    ("もう寝たそうだ。", "もう寝たそうです。"),
    ("犬を怖がらせた。", "犬を怖がらせました。"),
    ("彼は笑われた。", "彼は笑われました。"),
]
BOTH_WAYS += [
    ("恐れを感じる。", "恐れを感じます。"),
    ("彼を信じない。", "彼を信じません。"),
    ("喫煙を禁じた。", "喫煙を禁じました。"),
    ("未来を論じよう。", "未来を論じましょう。"),
    ("先輩がくれた。", "先輩がくれました。"),
    ("友がまた来よう。", "友がまた来ましょう。"),
    ("社長が本を読まれた。", "社長が本を読まれました。"),
    ("本を読んでくれない。", "本を読んでくれません。"),
    ("それはありえる。", "それはありえます。"),
    ("この歌は覚えやすい。", "この歌は覚えやすいです。"),
    ("その色は名状し難い。", "その色は名状し難いです。"),
    ("弟を励ました。", "弟を励ましました。"),
    ("写真をとる。", "写真をとります。"),
]
BOTH_WAYS += [  # adjectives in ない
    ("その話はくだらない。", "その話はくだらないです。"),
    ("その話はくだらなかった。", "その話はくだらなかったです。"),
    ("それはもったいない。", "それはもったいないです。"),
    ("それはもったいなかった。", "それはもったいなかったです。"),
    ("この本はつまらない。", "この本はつまらないです。"),
    ("それはとんでもない。", "それはとんでもないです。"),
    ("それは関係ない。", "それは関係ないです。"),
    ("彼はだらしない。", "彼はだらしないです。"),
    ("それは知らない。", "それは知りません。"),
    ("手が足りない。", "手が足りません。"),
    ("私は構わない。", "私は構いません。"),
    ("仕方がない。", "仕方がありません。"),
    ("春になる。", "春になります。"),
    ("これはお金になる。", "これはお金になります。"),
    ("紙がごみになる。", "紙がごみになります。"),
    ("それはお茶だ。", "それはお茶です。"),
    ("神社に参拝した。", "神社に参拝しました。"),
    ("神を拝んだ。", "神を拝みました。"),
    ("友に電話した。", "友に電話しました。"),
    ("橋にかかる。", "橋にかかります。"),
]
TO_PLAIN = [  # the other way leads to another spelling
    ("本が有りません。", "本がない。"),
    ("職に在りません。", "職にない。"),
    ("嬉しいとは感ずる。", "嬉しいとは感じます。"),
    ("悪くなりうる。", "悪くなりえます。"),
]
HUMBLE = (
    "嬉しく存じます。|嬉しく存ずる。|ありがたくぞんじます。|何も存じません。|"
    "よく存じ上げております。|心よりお詫び申し上げます。|私は田中と申します。|"
    "田中と申しました。|明日参ります。|すぐにまいりましょう。|私が致します。|"
    "失礼いたしました。|お待ちしております。|部屋におります。|先生がおられます。|"
    "本を頂きます。|ご飯をいただきました。|来ていただけますか。|賞を戴きました。|"
    "先生が下さいました。|教えてくださいます。|ご覧なさいます。|先生が来なさいました。|"
    "駅がございます。|何もございません。|本が御座います。|そうおっしゃいました。|"
    "先生が仰います。|先生がいらっしゃった。|本をお読みあそばします。|"
    "お召し上がりになって召し上がります。|お話を伺います。|お手紙を承りました。|"
    "お金を賜りました。|粗品を差し上げます。|粗品を差上げます。|世話をつかまつります。|"
    "先生が参る。|私がいたす。|茶をいただく。|彼を存じる。|先生が下さる。|"
    "先生がなさる。|庭にござる。|彼に問いました。|許しを請いました。|海へゆきました。|"
    "犬が死んどります。"
)
HONORIFIC_PHRASES = (
    "手紙を拝見します。|本を拝借しました。|手紙を拝読した。|菓子を頂戴します。|菓子をちょうだいした。|"
    "本をお目にかけます。|先生にお目にかかりました。|先生にお目に掛かる。|本をご覧に入れます。|"
    "はい、かしこまりました。|お心遣い痛み入ります。|誠に恐れ入ります。|先生がおいでになります。|"
    "客がお見えになりました。|先生がお帰りになりました。|先生がお越しになる。|先生がお書きになった。|"
    "先生がご出発になりました。|本をご覧になりました。|荷物をお持ちします。|部屋にご案内する。|"
    "ご説明しました。|お話しします。|お電話しました。|お手伝いできます。|お世話になりました。|"
    "お邪魔しました。|先生がお待ちです。|先生はご存じです。|先生がお書きになられました。|"
    "お腹がくだりません。|管がつまりません。"
)
POLITE_ONLY = [
    ("これは何ですか?", "これは何?"),
    ("彼は学生ですか。", "彼は学生なのか。"),
    ("どうしたんですか?", "どうしたの?"),
    ("どこへ行きますか。", "どこへ行くのか。"),
]
LEFT_ALONE = [
    "窓を開けてください。",
    "早く行きなさい。",
    "走れ!",
    "どうもありがとうございます。",
    "先生がいらっしゃいます。",
    "俺は行く。",
    "彼は天才である。",
    "行くな。",
    "行くぞ。",
    "行きますが、何もしません。",
    "雨が降ったので。",
    "はい。もう行きます。",
    "彼は私にいった。",
    "彼女にあった。",
    "彼は知らん。",
]


@ANALYSED
@pytest.mark.parametrize(("plain", "polite"), BOTH_WAYS)
def test_both_directions(plain, polite, analyser):
    if analyser == "fugashi" and plain in ONE_WORD_IN_SUDACHI:
        assert transform(plain, analyser) is transform(polite, analyser) is None
    else:
        assert transform(plain, analyser)[0] == polite
        assert transform(polite, analyser)[0] == plain


@ANALYSED
@pytest.mark.parametrize(("polite", "plain"), POLITE_ONLY)
def test_polite_questions_lose_their_particle(polite, plain, analyser):
    assert transform(polite, analyser)[0] == plain


@ANALYSED
@pytest.mark.parametrize(("given", "turned"), TO_PLAIN)
def test_other_spellings_turn_into_the_usual_one(given, turned, analyser):
    assert transform(given, analyser)[0] == turned


@ANALYSED
@pytest.mark.parametrize("text", HONORIFIC_PHRASES.split("|"))
def test_a_humble_or_honorific_phrase_is_left_alone(text, analyser):
    assert transform(text, analyser) is None


@ANALYSED
@pytest.mark.parametrize("text", HUMBLE.split("|"))
def test_a_verb_whose_style_is_lexical_is_left_alone(text, analyser):
    assert transform(text, analyser) is None


def test_every_lexical_verb_is_left_alone():
    for verb in lexical_verbs():
        for kind in ("五段-ラ行", "下一段-ラ行", "サ行変格"):
            assert conjugate(verb, kind, "nonpast") is None, verb
        assert transform(f"本を{verb}。") is None, verb


@pytest.mark.parametrize(
    "text",
    [
        "その箱は重たくて運べません。",
        "成し遂げれない。",
        "髪をつくろった。",
        "車は混んでなかった。",
        "感動してないた。",
    ],
)
def test_what_is_analysed_as_another_verb_is_left_alone(text):
    assert transform(text) is None


@ANALYSED
@pytest.mark.parametrize("text", LEFT_ALONE)
def test_unsure_sentences_are_left_alone(text, analyser):
    assert transform(text, analyser) is None


@pytest.mark.parametrize(
    ("lemma", "kind", "forms"),
    [
        ("書く", "五段-カ行", ["書き", "書いた", "書かな", "書こう"]),
        ("急ぐ", "五段-ガ行", ["急ぎ", "急いだ", "急がな", "急ごう"]),
        ("行く", "五段-カ行", ["行き", "行った", "行かな", "行こう"]),
        ("言う", "五段-ワア行", ["言い", "言った", "言わな", "言おう"]),
        ("待つ", "五段-タ行", ["待ち", "待った", "待たな", "待とう"]),
        ("見る", "上一段-マ行", ["見", "見た", "見な", "見よう"]),
        ("来る", "カ行変格", ["来", "来た", "来な", "来よう"]),
        ("くる", "カ行変格", ["き", "きた", "こな", "こよう"]),
        ("する", "サ行変格", ["し", "した", "しな", "しよう"]),
        ("愛する", "サ行変格", ["愛し", "愛した", None, None]),
        ("いただく", "五段-カ行", [None] * 4),
        ("論ずる", "サ行変格", ["論じ", "論じた", "論じな", "論じよう"]),
        ("有る", "五段-ラ行", ["有り", "有った", "な", "有ろう"]),
        ("うる", "下一段-ア行", ["え", "えた", "えな", "えよう"]),
    ],
)
def test_conjugation(lemma, kind, forms):
    made = [conjugate(lemma, kind, f) for f in ("stem", "past", "negative", "volitional")]
    assert made == forms


def test_variant_says_what_was_done():
    samples = pd.DataFrame({"id": ["7"], "ja": ["山へ行った。"], "en": ["I went to the mountain."]})
    row = variants(samples, seed=1, per_sample=1, probability=1.0).iloc[0]
    assert (row.id, row.parent, row.ja, row.en) == (
        "7-politeness-0",
        "7",
        "山へ行きました。",
        "I went to the mountain.",
    )
    assert json.loads(row.operation) == {
        "rule": "plain to polite",
        "form": "verb past",
        "from": "行った",
        "to": "行きました",
    }
    assert variants(samples, seed=1, per_sample=1, probability=0.0).empty
