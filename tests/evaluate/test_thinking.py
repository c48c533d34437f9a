"""What a model thinks before it answers: cut, counted, and no reason to stop it."""

import pytest
import torch
from kensho.evaluate import harness, scores
from kensho.evaluate.thinking import closing, counted, opened, without_thinking
from kensho.jlce import fast, metrics
from kensho.jlce.lm import KenshoLM
from kensho.models.loading import load
from lm_eval.api.instance import Instance


@pytest.mark.parametrize(
    ("text", "answer", "thought"),
    [
        ("2+2は4だ。</think>\n4", "4", "2+2は4だ。</think>"),
        ("a</think>b</think>\n\n答えは4", "答えは4", "a</think>b</think>"),
        ("<think>2+2</think>\n4", "4", "<think>2+2</think>"),
        ("<think>2+2=4 なので", "", "<think>2+2=4 なので"),
        ("<think>", "", "<think>"),
        ("4です。<think>本当か", "4です。", "<think>本当か"),
        ("<think>a</think>4<think>b</think>です", "4です", "<think>a</think><think>b</think>"),
        ("a</think>4<think>b</think>です", "4です", "a</think><think>b</think>"),
        ("<think>a<think>b</think>c</think>4", "4", "<think>a<think>b</think>c</think>"),
        ("<reasoning>a</reasoning>4", "4", "<reasoning>a</reasoning>"),
        ("a</reasoning>4", "4", "a</reasoning>"),
        ("◁think▷a◁/think▷4", "4", "◁think▷a◁/think▷"),
        ("[THINK]a[/THINK]4", "4", "[THINK]a[/THINK]"),
        ("<Thinking budget='9'>a</Thinking>4", "4", "<Thinking budget='9'>a</Thinking>"),
        ("a<|end_of_thought|>4", "4", "a<|end_of_thought|>"),
        ("<think>a</think><answer>4</answer>", "4", "<think>a</think>"),
        ("analysisWe add.assistantfinal4", "4", "analysisWe add.assistantfinal"),
        ("<思考>a</思考>4", "4", "<思考>a</思考>"),
        ("a</思考過程>4", "4", "a</思考過程>"),
        ("＜推論＞a＜／推論＞4", "4", "＜推論＞a＜／推論＞"),
        ("<|START_THINKING|>a<|END_THINKING|>4", "4", "<|START_THINKING|>a<|END_THINKING|>"),
        ("<unused94>thought\na<unused95>4", "4", "<unused94>thought\na<unused95>"),
        ("a<unused95>4", "4", "a<unused95>"),
        ("<unused94>a", "", "<unused94>a"),
        ("a</think><|begin_of_solution|>4<|end_of_solution|>", "4", "a</think>"),
        ('これは"4"</think>4', "4", 'これは"4"</think>'),
        ("<|START_RESPONSE|>4<|END_RESPONSE|>", "4", ""),
        ("<|begin_of_solution|>4", "4", ""),
        ("<回答>4</回答>", "4", ""),
        ("<answer></answer>", "", ""),
        ("<answer>4</answer>です", "<answer>4</answer>です", ""),
        ("答えは<think>タグです", "答えは<think>タグです", ""),
        ("答えは「<think>」タグです", "答えは「<think>」タグです", ""),
        ("「</think>」で終わる。答えは4", "「</think>」で終わる。答えは4", ""),
        ("`<think>`と`</think>`", "`<think>`と`</think>`", ""),
        ("答えは<think>です。\n<think>a</think>4", "答えは<think>です。\n4", "<think>a</think>"),
        ("答え\n  <think>a", "答え", "<think>a"),
        ("答え！<think>a", "答え！", "<think>a"),
        ("<unused93>4", "<unused93>4", ""),
        ("思考の結果は4", "思考の結果は4", ""),
        ("4", "4", ""),
        ("1 < 2 で 3 > 2", "1 < 2 で 3 > 2", ""),
        ("<b>4</b>", "<b>4</b>", ""),
        ("", "", ""),
    ],
)  # fmt: skip
def test_thinking_is_cut_and_counted(text, answer, thought):
    assert without_thinking(text) == (answer, len(thought))


def test_counts_tell_the_answers_that_only_thought():
    found = counted(["4", "a</think>4", "<think>b"])
    assert found == {"answers": 2, "without_answer": 1, "characters": 17}
    written = {"filtered_resps": ["a</think>4"]}
    chosen = {"filtered_resps": [("-1.5", "True"), ("-2.5", "False")]}
    found = harness.thinking({1: {"tatoeba_en_ja": [written], "jnli": [chosen]}})
    assert found == {"answers": 1, "without_answer": 0, "characters": 9}


@pytest.mark.parametrize("thought", ["3+4=7", "答えは5です。", "<think>まず8"])
def test_numbers_of_the_thinking_are_no_answer(thought):
    found = metrics.number({"answer": 12}, [f"{thought}</think>答えは12です。"])
    assert found["exact_match"] == 1 and found["thinking"] == len(thought) + len("</think>")
    found = metrics.number({"answer": 12}, [f"<think>{thought} 12"])
    assert found["exact_match"] == found["parsed"] == 0 and found["thinking"] > 0


def test_translations_are_scored_without_thinking():
    log = {
        "doc_id": 0,
        "doc": {"ja": "私は猫です。"},
        "filtered_resps": ["猫だ。</think>\n私は猫です。"],
    }
    items = scores.items({"tatoeba_en_ja": [log]})
    assert items["value"].tolist() == [100]
    assert scores.totals({"tatoeba_en_ja": [log]}) == [("chrf", pytest.approx(100), "points")]


def test_a_prompt_that_opens_thinking_is_seen():
    assert opened("<|assistant|>\n<think>\n") == "<think>"
    for prompt in ("<think>a</think>\n", "文：<think>\n答え：", "答え："):
        assert opened(prompt) == ""


def test_what_a_prompt_opens_is_closed_by_its_own_mark():
    closed = {"<think>": "</think>", "[THINK]": "[/THINK]", "◁think▷": "◁/think▷"}
    assert {mark: closing(mark) for mark in closed} == closed
    with pytest.raises(ValueError, match=r"opens thinking with <unused94>, which cannot be closed"):
        closing("<unused94>")


@pytest.fixture
def writes(tiny_model, monkeypatch):
    """What becomes of a text that the model would write without end, by our class."""
    model, tokenizer = load(tiny_model, torch.float32)
    wrapped = KenshoLM(pretrained=model, tokenizer=tokenizer, batch_size=1)

    def asked(text, prompt="問い"):
        tokens = wrapped.tok_encode(text)

        def generate(model, contexts, decoding, **_):
            lengths = range(1, decoding.most)
            length = next((n for n in lengths if decoding.ended(tokens[:n])), decoding.most)
            return [tokens[:length] for _ in contexts]

        monkeypatch.setattr(fast, "generate", generate)
        kwargs = {"until": ["\n"], "do_sample": False, "max_gen_toks": 200}
        request = Instance("generate_until", {}, (prompt, kwargs), 0)
        return wrapped.generate_until([request])[0]

    return asked


@pytest.mark.parametrize(
    ("text", "prompt", "answer"),
    [
        ("答え\n次", "問い", "答え"),
        ("<think>\na\nb\n</think>\n\n答え\n次", "問い", "<think>\na\nb\n</think>答え"),
        ("a\nb</think>\n答え\n次", "問い<think>\n", "<think>a\nb</think>答え"),
        ("a\n" * 200, "問い<think>\n", "<think>" + "a\n" * 100),
        ("<think>a</think>\n答え\n<think>次", "問い", "<think>a</think>答え"),
    ],
)
def test_a_stop_within_thinking_ends_no_answer(writes, text, prompt, answer):
    assert writes(text, prompt) == answer
