"""The page of a crate as a reader without script or network meets it."""

import json
import re
from html.parser import HTMLParser
from itertools import combinations
from urllib.parse import unquote

import past_run
import pytest
from kensho.provenance import cards, chain, crate, layered, page, vocabulary

VOID = {"meta", "link", "br", "path", "rect"}
HOSTILE = "</script><script>alert(1)</script>"


class Read(HTMLParser):
    """Ids, addresses, text, texts of scripts; a tag that closes another one fails."""

    def __init__(self, html):
        super().__init__()
        self.ids, self.links, self.loaded, self.scripts = [], [], [], []
        self.text, self.open = "", []
        self.feed(html)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attributes):
        named = dict(attributes)
        self.ids += [named["id"]] if "id" in named else []
        (self.links if tag == "a" else self.loaded).extend(
            named[key] for key in ("href", "src") if key in named
        )
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.handle_starttag(tag, attributes)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open[-1:] == ["script"]:
            self.scripts.append(data)
        elif self.open[-1:] != ["style"]:
            self.text += data


@pytest.fixture(scope="module")
def past(tmp_path_factory):
    return past_run.past(past_run.written(tmp_path_factory.mktemp("past")))


@pytest.fixture(scope="module")
def graph(past):
    return crate.graph(past, [])


@pytest.fixture(scope="module")
def html(past, graph):
    return page.build(past, graph)


@pytest.fixture(scope="module")
def rests(past):
    return chain.of(past, past.claims[0])


def test_a_chain_reaches_the_source_and_the_workflow_and_nothing_that_it_does_not_rest_on(rests):
    assert rests.sources == ["corpus"]
    assert [item.path for item in rests.ends] == [past_run.CARDS]
    assert {past_run.ANALYSIS, *past_run.OBSERVED, past_run.TRAIN} <= rests.files.keys()
    assert past_run.OTHER not in rests.files
    assert {"fetch", "prepare", "train-1", "train-2", "observe", "judge"} == {*rests.attempts}


def test_a_claim_without_a_verdict_rests_on_nothing(past):
    assert chain.of(past, past.claims[1]).files == {}


def test_seeds_of_one_training_are_one_card_and_links_lead_on(rests):
    nodes, edges = chain.folded(rests)
    shared = [[attempt.id for attempt in node.attempts] for node in nodes.values()]
    assert ["train-1", "train-2"] in shared
    assert sorted(name for names in shared for name in names) == sorted(rests.attempts)
    assert all(nodes[before].layer < nodes[after].layer for before, after in edges)


def test_boxes_of_a_drawing_do_not_overlap_and_links_end_at_them():
    layer = {**{f"a{i}": 0 for i in range(5)}, **{f"b{i}": 1 for i in range(3)}, "c": 2, "d": 3}
    edges = [(a, b) for a in layer for b in layer if layer[a] < layer[b] and (a, b) != ("a0", "b0")]
    sizes = {key: (100, 30 + 10 * len(layer) * layer[key]) for key in layer}
    drawing = layered.draw(sizes, layer, edges)
    boxes = {key: (*drawing.corners[key], *sizes[key]) for key in layer}
    for (x, y, width, height), (x2, y2, width2, height2) in combinations(boxes.values(), 2):
        assert x + width <= x2 or x2 + width2 <= x or y + height <= y2 or y2 + height2 <= y
    for x, y, width, height in boxes.values():
        assert x >= 0 and y >= 0 and x + width <= drawing.width and y + height <= drawing.height
    ends = {tuple(map(int, re.findall(r"-?\d+", head)[2:4])) for head in drawing.heads}
    tops = {(x + width // 2, y - 2) for x, y, width, _ in boxes.values() if y > 1}
    assert ends == tops


def test_text_that_is_too_wide_ends_in_an_ellipsis():
    assert cards.fitted("abcd", 4) == "abcd" and cards.fitted("abcde", 4) == "abc…"
    assert cards.fitted("日本", 4) == "日本" and cards.fitted("日本語", 4) == "日…"


def test_every_link_is_a_place_of_the_page_or_a_file_of_the_crate(html, past):
    read = Read(html)
    assert len(read.ids) == len({*read.ids}) and read.loaded == ["data:,"]
    inside = {path for path, item in past.items.items() if not item.outside}
    for link in read.links:
        path, _, place = link.partition("#")
        assert unquote(path) in inside if path else unquote(place) in read.ids
    assert {past_run.ANALYSIS, past_run.CARDS, past_run.SOURCE_RECORD} <= {*read.links}
    assert not re.search(r"@import|url\(", html)


def test_a_name_with_signs_of_addresses_is_encoded_in_its_link(past):
    item = past.items[past_run.ANALYSIS]
    named = type(item)("results/100 %#?/javascript:x.csv", 1, "ab" * 32)
    assert cards.href(named) == "results/100%20%25%23%3F/javascript%3Ax.csv"


def test_what_is_not_inside_is_told_with_its_digest_and_reason_and_no_link(html, past):
    item = past.items["results/train/arm/seed1/adapter.safetensors"]
    assert item.path not in Read(html).links
    assert f'title="{item.sha256}"' in html and item.outside in Read(html).text


def test_all_attempts_of_a_chain_are_there_with_cause_and_log(html):
    text = Read(html).text
    for word in ("killed", "failed", "superseded", past_run.FAULT, "step 7\nloss nan", "20260311"):
        assert word in text
    assert all(f"and 1 {word}" in text for word in ("killed", "failed", "superseded"))
    assert html.count('id="attempt-') == html.count('class="chip', html.index('id="runs"'))


def test_verdicts_reasons_and_what_is_not_known_are_said(html, past):
    text = " ".join(Read(html).text.split())
    for entry in past.claims:
        assert entry["verdict"] in text and entry["sentence"] in text
    assert past.claims[0]["analysis"]["deviations"][0] in text and "required: at-scope" in text
    assert past.unknown and all(line in text for line in past.unknown)
    assert past_run.BEGAN.strftime("%Y-%m-%d") in text and "its writers" in text


def test_a_run_its_changes_and_its_machine_are_said(html):
    text = " ".join(Read(html).text.split())
    for words in ("snakemake --profile local", "0123abc", "+cards: {}", "AMD EPYC", "numpy 2.1"):
        assert words in text
    assert "not recorded: killed" in text and "0123456789ab" not in text


def test_the_graph_stands_in_the_head(html, graph):
    scripts = Read(html).scripts
    assert json.loads(scripts[0]) == {"@context": vocabulary.CONTEXT, "@graph": graph}
    assert len(scripts) == 1 and "<script" not in html[html.index("<body") :]


def test_text_from_outside_stays_text(tmp_path):
    past = past_run.past(past_run.written(tmp_path, HOSTILE))
    read = Read(page.build(past, crate.graph(past, [])))
    assert len(read.scripts) == 1 and "alert(1)" in read.text
    stated = json.loads(read.scripts[0])["@graph"]
    assert any(HOSTILE in str(entity.get("error")) for entity in stated)


def test_equal_history_gives_equal_bytes(html, past, graph):
    assert page.build(past, graph) == html
