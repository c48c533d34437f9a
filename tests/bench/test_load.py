"""The load generator against a real server of completions: times, and every kind of failure."""

import re

import numpy as np
import pytest
from completions import PACE, running
from kensho.bench import load
from kensho.bench.load import Answer, Failure, Request


@pytest.fixture(scope="module")
def server():
    """URL of the server, and what it was asked, with the time."""
    with running() as (served, url):
        yield url, served.asked


def prompts(*names, tokens=4):
    return [Request(name, tokens) for name in names]


def test_an_answer_has_its_text_its_tokens_and_their_times(server):
    url, asked = server
    asked.clear()
    done = load.in_batches(url, "m", prompts("a", tokens=6), 1, 30)
    [answer] = done.answers
    assert isinstance(answer, Answer) and answer.text == "a0 a1 a2 a3 a4 a5 " and answer.tokens == 6
    assert PACE <= answer.first_token_seconds < answer.latency_seconds <= done.seconds
    # the server's own pace between the first token and the last
    assert answer.token_seconds >= 0.9 * PACE
    assert answer.latency_seconds - answer.first_token_seconds >= 5 * 0.9 * PACE
    [(_, body)] = asked
    assert body["temperature"] == 0 and body["ignore_eos"] and body["stream"]


def test_an_answer_of_one_token_has_no_time_between_tokens(server):
    [answer] = load.in_batches(server[0], "m", prompts("a", tokens=1), 1, 30).answers
    assert answer.token_seconds is None and answer.latency_seconds == answer.first_token_seconds


def test_a_batch_is_sent_at_once_and_waits_for_the_one_before(server):
    url, asked = server
    asked.clear()
    done = load.in_batches(url, "m", prompts(*"abcd"), 2, 30)
    assert [one.text[0] for one in done.answers] == [*"abcd"]
    a, b, c, d = done.answers
    assert max(a.sent, b.sent) < min(a.last, b.last)
    assert min(c.sent, d.sent) >= max(a.last, b.last)
    assert not done.failures


def test_users_arrive_when_they_are_due_whatever_is_answered(server):
    url, asked = server
    asked.clear()
    times = [0.0, 0.05, 0.1, 0.15]
    done = load.at_times(url, "m", prompts(*"abcd", tokens=20), times, 30)
    sent = [answer.sent for answer in done.answers]
    assert [answer.due for answer in done.answers] == times
    assert all(0 <= at - due < 0.2 for at, due in zip(sent, times, strict=True))
    assert sent[-1] < done.answers[0].last  # nobody waited
    assert len(asked) == 4


def test_arrivals_are_a_poisson_process_of_the_seed():
    times = load.arrivals(5.0, 4000, seed=1)
    gaps = np.diff(times)
    assert times == load.arrivals(5.0, 4000, seed=1) != load.arrivals(5.0, 4000, seed=2)
    assert (gaps > 0).all()
    # mean and deviation of an exponential are 1 / rate; four standard errors of 4,000 gaps
    assert gaps.mean() == pytest.approx(0.2, rel=4 / 4000**0.5)
    assert gaps.std() == pytest.approx(0.2, rel=4 * (2 / 4000) ** 0.5)


@pytest.mark.parametrize(
    ("prompt", "kind", "why"),
    [
        ("refuse", "refused", "HTTP 400: .*too long"),
        ("cut", "gone", "ClientPayloadError"),
        ("endless", "gone", "ended before its last event"),
        ("late", "late", "no whole answer within 3 s"),
        ("prose", "nonsense", "JSONDecodeError"),
        ("number", "nonsense", "TypeError"),
        ("short", "nonsense", "3 tokens, 4 were asked for"),
        ("uncounted", "nonsense", "None tokens, 4 were asked for"),
    ],
)
def test_what_is_no_answer_is_a_failure_of_a_named_kind_and_the_rest_goes_on(
    server, prompt, kind, why
):
    done = load.in_batches(server[0], "m", prompts("a", prompt, "b"), 3, 3)
    first, failure, last = done.answers
    assert isinstance(failure, Failure) and failure.kind == kind
    assert re.search(why, failure.why)
    assert isinstance(first, Answer) and isinstance(last, Answer)
    assert done.failures == {kind: 1}


def test_a_server_that_is_gone_leaves_every_request_without_an_answer():
    done = load.in_batches("http://127.0.0.1:9", "m", prompts("a", "b"), 1, 5)
    assert done.failures == {"gone": 2}
