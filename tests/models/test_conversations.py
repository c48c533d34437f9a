"""Text and conversations become the ids that a model was made for, in training and evaluation."""

import json

import pytest
from kensho.models.encoding import encode, render, turn_end, turn_start
from kensho.models.loading import tokenizer_of
from kensho.train.samples import IGNORED, encoded
from special_twins import KINDS, special
from tokenizers import Tokenizer
from transformers import AutoTokenizer

ASKED = [{"role": "system", "content": "短く。"}, {"role": "user", "content": "空の色は？"}]


@pytest.fixture(scope="module")
def tokenizers(tmp_path_factory):
    folder = tmp_path_factory.mktemp("special")
    return {kind: tokenizer_of(special(kind, folder / kind)) for kind in KINDS}


def learnt(tokenizer, sample):
    """Text without loss, and text with it."""
    sides = ([], [])
    for token, label in zip(sample["input_ids"], sample["labels"], strict=True):
        assert label in (IGNORED, token)
        sides[label != IGNORED].append(token)
    return [tokenizer.decode(side) for side in sides]


@pytest.mark.parametrize("kind", ["r1-distill", "gemma", "llama"])
def test_a_text_begins_once(tokenizers, kind):
    tokenizer = tokenizers[kind]
    begin = tokenizer.bos_token_id
    for text in ("空", render(tokenizer, ASKED), render(tokenizer, ASKED[1:])):
        ids = encode(tokenizer, text)
        assert ids[0] == begin and begin not in ids[1:]
    assert tokenizer.encode(render(tokenizer, ASKED))[:2] == [begin, begin]  # what is guarded


def test_a_tokenizer_that_adds_nothing_is_left_alone(tokenizers):
    ids = encode(tokenizers["gpt2"], "空")
    assert tokenizers["gpt2"].decode(ids) == "空" and len(ids) == 3


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("r1-distill", "<s><｜User｜>短く。\n\n空の色は？<｜Assistant｜><think>\n"),
        (
            "gemma",
            "<s><start_of_turn>user\n短く。\n\n空の色は？<end_of_turn>\n<start_of_turn>model\n",
        ),
        ("llama", "<s>[INST] <<SYS>>\n短く。\n<</SYS>>\n\n空の色は？ [/INST]"),
    ],
)
def test_a_system_prompt_that_has_no_place_opens_the_users_turn(tokenizers, kind, text):
    assert render(tokenizers[kind], ASKED) == text


def test_a_template_that_leaves_a_system_prompt_out_is_seen(tokenizers):
    tokenizer = tokenizers["llama"]
    told = tokenizer.chat_template
    tokenizer.chat_template = (
        "{% for m in messages if m.role == 'user' %}U:{{ m.content }}{% endfor %}"
    )
    try:
        assert render(tokenizer, ASKED) == "U:短く。\n\n空の色は？"
    finally:
        tokenizer.chat_template = told


def test_a_model_without_template_is_asked_plain_text(tokenizers):
    with pytest.raises(ValueError, match="no chat template; ask this model plain text"):
        render(tokenizers["gpt2"], ASKED)


def test_an_answer_begins_as_its_template_says(tokenizers):
    starts = {kind: turn_start(tokenizers[kind]) for kind in KINDS if kind != "gpt2"}
    assert starts == {"r1-distill": "", "gemma": "", "llama": " "}


def test_a_turn_ends_as_its_template_says(tokenizers):
    ends = {kind: turn_end(tokenizers[kind]) for kind in KINDS if kind != "gpt2"}
    assert ends == {"r1-distill": "</s>", "gemma": "<end_of_turn>", "llama": "</s>"}


@pytest.mark.parametrize(
    ("kind", "chat", "prompt", "completion"),
    [
        ("gpt2", False, "空の色は？", " 青</s>"),
        ("llama", False, "<s>空の色は？", " 青</s>"),
        ("llama", True, "<s>[INST] 空の色は？ [/INST]", " 青</s>"),
        (
            "gemma",
            True,
            "<s><start_of_turn>user\n空の色は？<end_of_turn>\n<start_of_turn>model\n",
            "青<end_of_turn>",
        ),
        (
            "r1-distill",
            True,
            "<s><｜User｜>空の色は？<｜Assistant｜><think>\n",
            "</think>\n\n青</s>",
        ),
    ],
)
def test_the_loss_is_on_the_completion_and_its_end(tokenizers, kind, chat, prompt, completion):
    tokenizer = tokenizers[kind]
    sample = encoded(tokenizer, "空の色は？", " 青", chat=chat)
    assert learnt(tokenizer, sample) == [prompt, completion]
    assert encoded(tokenizer, "空の色は？", " 青</s>", chat=False) == encoded(
        tokenizer, "空の色は？", " 青", chat=False
    )


def test_a_class_that_splits_otherwise_than_the_published_file_is_not_followed(tmp_path):
    folder = special("llama", tmp_path / "llama")
    path = folder / "tokenizer.json"
    content = json.loads(path.read_text())
    content["model"]["merges"] = [["1", "2"]]
    content["model"]["vocab"]["12"] = len(content["model"]["vocab"])
    content["pre_tokenizer"] = {
        "type": "Sequence",
        "pretokenizers": [{"type": "Digits", "individual_digits": True}, content["pre_tokenizer"]],
    }
    path.write_text(json.dumps(content))
    settings = json.loads((folder / "tokenizer_config.json").read_text())
    settings["tokenizer_class"] = "GPT2Tokenizer"
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    assert len(AutoTokenizer.from_pretrained(folder).encode("12", add_special_tokens=False)) == 1
    ids = Tokenizer.from_file(str(path)).encode("12", add_special_tokens=False).ids
    assert tokenizer_of(folder).encode("12", add_special_tokens=False) == ids and len(ids) == 2
