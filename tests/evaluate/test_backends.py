"""Scores and answers of each architecture are those of its sequences alone, and of ``hf``."""

import pandas as pd
import pytest
import torch
from kensho.evaluate import harness
from kensho.evaluate.lm import Backend
from kensho.evaluate.thinking import without_thinking
from kensho.jlce import run
from kensho.jlce.lm import KenshoLM
from kensho.models import twins
from kensho.models.encoding import encode
from kensho.models.loading import load
from lm_eval.api.instance import Instance
from lm_eval.models.huggingface import HFLM
from lm_eval.tasks import TaskManager
from special_twins import KINDS, special

ASKED = [
    ("English: I am a cat.\nJapanese:", " 私は猫です。"),
    ("English: I am a cat.\nJapanese:", " 猫"),
    ("English: I am a cat, and Tom runs along the long river.\nJapanese:", " はい"),
    ("問:", "青"),
]
MOST = 6
BACKENDS = (Backend, KenshoLM, HFLM)


@pytest.fixture(scope="module", params=twins.CONFIGS)
def plain(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("twin") / request.param
    return load(twins.make(request.param, folder, seed=1), torch.float32)


@pytest.fixture(scope="module", params=KINDS)
def kind(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("twin") / request.param
    return request.param, *load(special(request.param, folder), torch.float32)


def instances(kind, arguments):
    return [
        Instance(request_type=kind, doc={}, arguments=each, idx=place)
        for place, each in enumerate(arguments)
    ]


def scored(backend, model, tokenizer, asked):
    wrapped = backend(pretrained=model, tokenizer=tokenizer, batch_size=3)
    return wrapped.loglikelihood(instances("loglikelihood", asked), disable_tqdm=True)


def answered(backend, model, tokenizer, prompts, until="おしまい"):
    wrapped = backend(pretrained=model, tokenizer=tokenizer, batch_size=3)
    kwargs = {"until": [until], "max_gen_toks": MOST, "do_sample": False}
    requests = instances("generate_until", [(prompt, kwargs) for prompt in prompts])
    return wrapped.generate_until(requests, disable_tqdm=True)


@torch.inference_mode()
def alone(model, tokenizer, context, continuation):
    """Likelihood of a continuation, read by itself, without padding or cache."""
    before = encode(tokenizer, context.rstrip())  # the harness scores space with what follows it
    whole = encode(tokenizer, context + continuation)
    logits = model(torch.tensor([whole])).logits[0, len(before) - 1 : -1].log_softmax(-1)
    return float(logits.gather(1, torch.tensor(whole[len(before) :])[:, None]).sum())


@torch.inference_mode()
def written(model, tokenizer, prompt):
    """The likeliest tokens one after the other, each read with all before it."""
    ids = encode(tokenizer, prompt)
    start = len(ids)
    while len(ids) < start + MOST and (len(ids) == start or ids[-1] != tokenizer.eos_token_id):
        ids.append(int(model(torch.tensor([ids])).logits[0, -1].argmax()))
    return tokenizer.decode(ids[start:], skip_special_tokens=True)


@pytest.mark.parametrize("backend", BACKENDS)
def test_scores_are_those_of_each_sequence_alone(plain, backend):
    for (likelihood, _), asked in zip(scored(backend, *plain, ASKED), ASKED, strict=True):
        assert likelihood == pytest.approx(alone(*plain, *asked), abs=1e-4)


@pytest.mark.parametrize("backend", BACKENDS)
def test_answers_are_those_of_each_prompt_alone(plain, backend):
    prompts = [context for context, _ in ASKED]
    expected = [written(*plain, prompt) for prompt in prompts]
    assert answered(backend, *plain, prompts) == expected
    assert len(set(expected)) > 1


def test_prefix_trees_say_which_architectures_they_leave_out(plain, capsys):
    model, tokenizer = plain
    KenshoLM(pretrained=model, tokenizer=tokenizer)
    left_out = model.config.model_type in ("deepseek_v3", "lfm2")
    line = f"model type {model.config.model_type} does not read shared beginnings once"
    assert (line in capsys.readouterr().err) == left_out


def test_a_conversation_is_scored_and_answered_as_by_hf(kind):
    name, model, tokenizer = kind
    ours = Backend(pretrained=model, tokenizer=tokenizer)
    asked = ASKED
    if tokenizer.chat_template:
        turns = [[{"role": "user", "content": context}] for context, _ in ASKED]
        rendered = [ours.apply_chat_template(turn) for turn in turns]
        hf = HFLM(pretrained=model, tokenizer=tokenizer)
        assert rendered == [hf.apply_chat_template(turn) for turn in turns]
        asked = [(one, answer) for one, (_, answer) in zip(rendered, ASKED, strict=True)]
    prompts = [context for context, _ in asked]
    expected = [alone(model, tokenizer, *each) for each in asked]
    answers = [written(model, tokenizer, prompt) for prompt in prompts]
    for backend in BACKENDS:
        values = [value for value, _ in scored(backend, model, tokenizer, asked)]
        assert values == pytest.approx(expected, abs=1e-4)
        opened = "<think>" if name == "r1-distill" and backend is not HFLM else ""
        shown = [opened + answer for answer in answers]
        assert answered(backend, model, tokenizer, prompts) == shown


def test_the_workflow_asks_and_cuts_thinking_as_the_template_wants(kind):
    name, model, tokenizer = kind
    pairs = pd.DataFrame({"en": ["I am a cat.", "Tom runs."], "ja": ["私は猫です。", "走る。"]})
    tasks = [harness.task("tatoeba_nll", pairs), harness.task("tatoeba_en_ja", pairs)]
    ours = Backend(pretrained=model, tokenizer=tokenizer, batch_size=2)
    if not tokenizer.chat_template:
        with pytest.raises(ValueError, match="no chat template"):
            harness.run(ours, tasks[:1], seed=1, chat=True)
        return
    tasks[1]["generation_kwargs"]["max_gen_toks"] = MOST
    logs = harness.run(ours, tasks, seed=1, chat=True)
    for log, english in zip(logs["tatoeba_en_ja"], pairs["en"], strict=True):
        asked = log["arguments"][0][0]
        assert english in asked and asked.startswith("<s>")
        answer, thought = without_thinking(log["filtered_resps"][0])
        if name == "r1-distill":  # six tokens do not close what the template has opened
            assert answer == "" and thought
        else:
            assert not thought
    for log, japanese in zip(logs["tatoeba_nll"], pairs["ja"], strict=True):
        blank = " " if name == "llama" else ""  # which its template writes before an answer
        assert log["arguments"][0][1] == blank + japanese
        closed = "</think>\n\n" if name == "r1-distill" else ""  # no answer is within thinking
        asked, answer = log["arguments"][0]
        assert log["filtered_resps"][0][0] == pytest.approx(
            alone(model, tokenizer, asked + closed, answer), abs=1e-4
        )


def test_jlce_scores_are_those_of_hf(kind):
    _, model, tokenizer = kind
    chat = tokenizer.chat_template is not None
    tasks = ["nli", "style"]
    settings = run.Settings(tasks, limit=2, max_new_tokens=MOST, chat=chat)
    ours = run.evaluate(
        KenshoLM(pretrained=model, tokenizer=tokenizer, batch_size=2), settings, seed=1
    )
    theirs = harness.logs(
        HFLM(pretrained=model, tokenizer=tokenizer, batch_size=2),
        [run.task_name(task) for task in tasks],
        TaskManager(include_path=str(run.PACK), include_defaults=False),
        seed=1,
        limit=2,
        apply_chat_template=chat,
        gen_kwargs={"max_gen_toks": MOST},
    )
    for log, other in zip(ours["jlce_nli"], theirs["jlce_nli"], strict=True):
        values = [[value for value, _ in one["filtered_resps"]] for one in (log, other)]
        assert values[0] == pytest.approx(values[1], abs=1e-4)
        assert log["acc"] == other["acc"]
    for log, other in zip(ours["jlce_style"], theirs["jlce_style"], strict=True):
        opened = "<think>" if log["arguments"][0][0].endswith("<think>\n") else ""
        assert log["filtered_resps"][0] == opened + other["filtered_resps"][0]
