import pytest
from kensho.report.translation import Catalogue, english, translated

CATALOGUE = Catalogue(
    {
        "Summary of claims": "主張のまとめ",
        "{1} of {2} claims": "主張{2}件のうち{1}件",
        "Prices and <a>all attempts</a>.": "<a>すべての試行</a>と価格。",
        "{arm} needs {1} GB.": "{arm}には{1} GBが必要。",
        "{what}, over <code>{file}</code>.": "<code>{file}</code>にわたる{what}。",
        "the mean": "平均",
        "the mean of #all": "#allの平均",
        "It was measured.": "測定した。",
        "Held &lt; {1}": "{1}未満",
        "{label} {1}": "{label}は{1}",
        "no {what} is said": "{what}を述べない",
    }
)


def ja(page):
    return translated(page, CATALOGUE, "ja")


@pytest.mark.parametrize(
    ("page", "expected"),
    [
        ('<h2 id="a">Summary of\n claims</h2>', '<h2 id="a">主張のまとめ</h2>'),
        ("<p> 3 of 1,204 claims </p>", "<p> 主張1,204件のうち3件 </p>"),
        (
            '<p>Prices and <a href="x">all attempts</a>.</p>',
            '<p><a href="x">すべての試行</a>と価格。</p>',
        ),
        ("<td>lora-r8 needs 1.5 GB.</td>", "<td>lora-r8には1.5 GBが必要。</td>"),
        (
            '<li>the mean, over <code class="c">a.csv</code>.</li>',
            '<li><code class="c">a.csv</code>にわたる平均。</li>',
        ),
        ("<p>It was measured. x needs 2 GB.</p>", "<p>測定した。xには2 GBが必要。</p>"),
        ("<p>Held &lt; 5</p>", "<p>5未満</p>"),
        ("<p>The mean.</p>", "<p>平均。</p>"),
        ("<p>the mean · lora-r8: the mean; x</p>", "<p>平均 · lora-r8：平均；x</p>"),
        ("<p>the mean 1.5, lora-r8 2, the mean 3</p>",
         "<p>平均は1.5、lora-r8は2、平均は3</p>"),
        ("<p>It was measured. no word of anybody is said.</p>",
         "<p>測定した。word of anybodyを述べない。</p>"),
        ('<td title="the mean">7</td>', '<td title="平均">7</td>'),
        ('<b data-text="the mean of #all"></b>', '<b data-text="#allの平均"></b>'),
        ('<svg viewBox="0 0 1 1"><text>the mean</text></svg>',
         '<svg viewBox="0 0 1 1"><text>平均</text></svg>'),
        ("<p><span>the mean</span> 3 <span>the mean</span></p>",
         "<p><span>平均</span> 3 <span>平均</span></p>"),
    ],
)  # fmt: skip
def test_what_the_catalogue_has_is_translated_and_markup_stays(page, expected):
    assert ja(page) == expected


@pytest.mark.parametrize(
    "page",
    [
        '<blockquote translate="no"><p>the mean</p> the mean</blockquote>',
        "<pre><code>the mean</code></pre>",
        "<p>3 <code>the mean</code></p>",
        "<script>const x = 'the mean';</script>",
        '<p lang="ja">the mean</p>',
        "<p>Nobody translated this: 3 &amp; more.<br>Nor this.</p>",
        "<!DOCTYPE html>\n<!-- the mean --><img alt='x'><i class=dot></i>",
    ],
)
def test_what_is_kept_or_unknown_stays_byte_for_byte(page):
    assert ja(page) == page


def test_a_translation_with_other_placeholders_is_refused():
    with pytest.raises(ValueError, match=r"'\{1\} of \{2\}': other placeholders; change them"):
        Catalogue({"{1} of {2}": "{1}"})


def test_files_that_translate_the_same_text_are_refused(tmp_path):
    files = [tmp_path / "a.yaml", tmp_path / "b.yaml"]
    for file in files:
        file.write_text('"the mean": 平均\n', encoding="utf-8")
    with pytest.raises(
        ValueError, match=r"b\.yaml: 'the mean' is translated elsewhere; delete one"
    ):
        Catalogue.read(files)


def test_english_that_is_left_is_named_and_quotations_names_and_code_are_not():
    page = (
        "<p>This was never measured here.</p><p>SmolLM2-135M Instruct, lora-r8</p><p>測定した。</p>"
        '<td translate="no">It is the fastest of all</td><pre>run it with this</pre>'
        '<p>測定は <code>as it is in code</code> による</p><td title="of what is here">7</td>'
    )
    assert english(f'<html lang="ja">{page}</html>') == [
        "This was never measured here.",
        "of what is here",
    ]
    assert translated('<html lang="en">', CATALOGUE, "ja") == '<html lang="ja">'
