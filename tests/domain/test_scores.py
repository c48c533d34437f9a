"""Scores of adapted models from 0 to 3: asked, read, qualified, judged and weighed."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pandas as pd
import pytest
from kensho.claims import registry
from kensho.domain import scores
from kensho.domain.arms import ANSWERS, ATTENTIONS, CHANGE, JUDGES, SCORES, forms
from kensho.jlce import chat
from kensho.jlce.chat import Endpoint
from kensho.judging import conditions, prompts, verdicts
from kensho.judging.items import translation
from kensho.judging.observed import absent, by_judges
from kensho.observations import Row, read, table, write
from kensho.stats.analysis import Settings
from kensho.stats.judge import judge

ROOT = Path(__file__).parents[2]
CLAIMS = {claim.id: claim for claim in registry.load(ROOT / "config/claims")}
PLANTED = verdicts.planted(ROOT / "resources/judging/planted.jsonl")
BETTER = {one.better for one in PLANTED}
ATTENTION = {"swallow": "gqa", "qwen": "gqa", "old": "mha"}
ITEMS = [translation("sentences", n, "en-ja", f"S {n}.", f"文{n}。", []) for n in range(60)]
LOST = "old's rows do not fit"


class Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        text = self.server.says(body["messages"][0]["content"])
        choice = {"message": {"content": text}, "finish_reason": "stop"}
        told = json.dumps({"model": "scripted", "choices": [choice]}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(told)))
        self.end_headers()
        self.wfile.write(told)

    def log_message(self, *_):
        pass


@pytest.fixture
def server(monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    one = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=one.serve_forever, args=(0.01,), daemon=True).start()
    yield one
    one.shutdown()
    one.server_close()


def able(prompt):
    """3 for the better side of planted pairs, 0 for the other; else what the answer's mark says."""
    answer = prompt.split("【回答A】\n<")[1].split(">\n", 1)[1].split("\n<")[0]
    if "評点" in answer:
        return f"読みました。\n{answer[-1]}点"
    return f"読みました。\n{3 if answer in BETTER else 0}"


def answers(points):
    """An answer of each arm to each item, with the points that it is to get."""
    rows = [
        (arm, item.block, f"{arm}の訳{item.id}、評点{of(int(item.id))}")
        for arm, of in points.items()
        for item in ITEMS
    ]
    return pd.DataFrame(rows, columns=["arm", "block", "answer"])


POINTS = {
    "swallow": lambda n: 2 + (n % 3 > 0),
    "qwen": lambda n: 1 + (n % 4 == 0),
    "swallow-f16": lambda n: 2 + (n % 3 > 0),
    "swallow-q4_k_m": lambda n: 2 + (n % 3 > 1),
    "qwen-f16": lambda n: 2,
    "qwen-q4_k_m": lambda n: 1 + (n % 5 > 0),
    "old-f16": lambda n: 1 + n % 2,
    "old-q4_k_m": lambda n: 1 + n % 2,
}


def asked(server, says, points=POINTS):
    server.says = says
    url = f"http://127.0.0.1:{server.server_port}/v1"
    endpoint = Endpoint(url, "m", None, 1, 64, 5, 4, key="judging.judges")
    questions = [
        *verdicts.of_planted_scores(PLANTED),
        *scores.questions(ITEMS, answers(points)),
    ]
    return verdicts.ask(endpoint, questions, {})


def served(folder, lost=()):
    """Conditions of arms that were to answer as files hold them, of ``lost`` why they did not."""
    arm = {
        "ran": {"models": []}, "models": {}, "seeds": [], "fallbacks": [],
        "deviations": [], "own": {}, "dtype": "float32", "warmup": "none",
        "hardware": {"cpu": "x", "cores": 1, "memory_bytes": 1, "accelerators": []}, "software": {},
    }  # fmt: skip
    for name in (name for adapted in ATTENTION for name in forms(adapted)):
        absent = {"seconds": LOST} if name in lost else {}
        write(
            folder,
            table([Row(ANSWERS, name, "all", 0, "answers", 1, "answers")]),
            arm | {"absent": absent},
        )
    return scores.served(map(str, sorted(folder.glob("*.csv"))))


def judged(folder, claim, rows, lost=(), attention=ATTENTION):
    """The verdict on what a judge said, through files as the workflow's script writes them."""
    of_arms = served(folder / "answers", lost)
    good, found, made = by_judges(SCORES, "score", {"j": rows}, 0.8, 0.05)
    made += scores.scores(good, attention)
    metrics = dict.fromkeys(of_arms, "score") | dict.fromkeys(ATTENTIONS, CHANGE)
    made += [Row(SCORES, arm, "all", 0, "judges", float(len(good)), "judges") for arm in metrics]
    for arm in (*metrics, JUDGES):
        lacking = conditions.lacking(made, [metrics[arm]] if arm in metrics else [], arm)
        why = scores.why_absent(arm, of_arms, attention)
        of_arm = conditions.of_judgement(
            {arm: of_arms[arm]} if arm in of_arms else of_arms,
            {"j": rows},
            found,
            experiment=SCORES,
            absent=absent(found, lacking, why),
        )
        write(folder, table(row for row in made if row.arm == arm), of_arm)
    held = {arm: read(folder / f"{arm}.csv") for arm in CLAIMS[claim].test.arms}
    tables, sides = ({arm: one[k] for arm, one in held.items()} for k in (0, 1))
    settings = Settings(seed=1, draws=1500, alpha=0.05, family_size=1)
    return judge(CLAIMS[claim], tables, sides, settings)[0]


def test_a_score_is_the_last_line_from_0_to_3_and_nothing_else():
    prompt = prompts.single(ITEMS[0], "訳", "score")
    assert "0（誤り" in prompt and "から3（" in prompt and "10（最高）" not in prompt
    assert "1（最低）から10（最高）までの整数を一つだけ" in prompts.single(ITEMS[0], "訳")
    read_in = {"良い。\n3": 3, "得点：2点": 2, "0": 0, "1/3": 1, "4": None, "10": None, "三": None}
    for text, value in read_in.items():
        assert prompts.scored(chat.Reply(text, "m", "stop", None)).value == value, text


def test_a_judge_that_scores_planted_answers_right_may_score(server):
    rows = asked(server, able)
    standing = verdicts.standing(rows, "score", 0.8, 0.05)
    assert standing.right == 1 and standing.why is None
    assert standing.outcomes == {"judged": 2 * len(PLANTED) + len(POINTS) * len(ITEMS)}


@pytest.mark.parametrize("says", [lambda prompt: "どちらとも。", lambda prompt: "2"])
def test_a_judge_that_cannot_score_gives_counts_and_no_verdict(server, tmp_path, says):
    analysis = judged(tmp_path, "C-2.swallow", asked(server, says))
    assert analysis.verdict == "NOT TESTED" and analysis.estimate is None
    assert "no judge can be relied on: j: it got 0 of 24 planted pairs right" in analysis.sentence


def test_base_models_are_compared_by_the_scores_of_their_answers(server, tmp_path):
    analysis = judged(tmp_path, "C-2.swallow", asked(server, able))
    expected = sum(POINTS["swallow"](n) - POINTS["qwen"](n) for n in range(60)) / 60
    assert analysis.estimate == pytest.approx(expected) and analysis.n_units == 60
    assert analysis.interval[0] > 0


def test_what_quantisation_changes_is_crossed_with_attention(server, tmp_path):
    analysis = judged(tmp_path, "C-3.attention", asked(server, able))
    of = [
        POINTS[f"{m}-q4_k_m"](n) - POINTS[f"{m}-f16"](n)
        for m in ("swallow", "qwen")
        for n in range(60)
    ]
    assert analysis.estimate == pytest.approx(sum(of) / len(of))  # old, with MHA, loses nothing


def test_an_answer_without_a_score_takes_its_question_out_of_every_arm(server):
    def says(prompt):
        return "読めません。" if "qwenの訳7、" in prompt else able(prompt)

    rows = [*scores.scores({"j": asked(server, says)}, ATTENTION)]
    blocks = {row.block for row in rows}
    assert len(blocks) == 59 and "sentences-en-ja/7" not in blocks


def test_a_format_that_a_model_lacks_is_the_reason_of_its_claims(server, tmp_path):
    lost = ("old-f16", "old-q4_k_m")
    left = {arm: of for arm, of in POINTS.items() if arm not in lost}
    analysis = judged(tmp_path, "C-3.attention", asked(server, able, left), lost)
    assert analysis.verdict == "NOT TESTED" and LOST in analysis.sentence
    without = {name: kind for name, kind in ATTENTION.items() if kind == "gqa"}
    other = judged(tmp_path, "C-3.attention", asked(server, able, left), lost, without)
    assert "no model with attention of the kind mha is adapted" in other.sentence
