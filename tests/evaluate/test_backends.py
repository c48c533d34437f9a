"""Scores and answers of each architecture are those of its sequences alone, and of ``hf``."""

import pytest
import torch
from kensho.evaluate.lm import Backend
from kensho.jlce.lm import KenshoLM
from kensho.models import twins
from kensho.models.encoding import encode
from kensho.models.loading import load
from lm_eval.api.instance import Instance
from lm_eval.models.huggingface import HFLM
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
