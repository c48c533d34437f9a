import base64
import inspect
import re

import pytest
import sentencepiece
import tokenizers as hugging_face
from kensho.models import tokenizers
from tiktoken_ext import openai_public


def test_a_hugging_face_file(tiny_model):
    tokenizer = tokenizers.load(tiny_model / "tokenizer.json")
    assert tokenizer.size == 258 and tokenizer.unknown is None
    assert len(tokenizer.encode("猫 cat")) == 3 + 4  # bytes, and nothing around them
    assert tokenizer.decode(tokenizer.encode("猫 cat")) == "猫 cat"


def test_a_sentencepiece_file(tmp_path):
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(["猫が好き", "犬が好き", "猫と犬"] * 20),
        model_prefix=str(tmp_path / "small"),
        vocab_size=11,
        minloglevel=2,
    )
    tokenizer = tokenizers.load(tmp_path / "small.model")
    assert tokenizer.size == 11
    assert tokenizer.decode(tokenizer.encode("猫が好き")) == "猫が好き"
    assert tokenizer.decode(tokenizer.encode("鳥")) != "鳥"  # unknown: the text is lost


@pytest.mark.parametrize(("name", "digits"), [("llama-3.tiktoken", 1), ("qwen.tiktoken", 3)])
def test_a_tiktoken_file_is_split_as_its_publisher_does(tmp_path, name, digits):
    pieces = [bytes([byte]) for byte in range(256)] + [b"12", b"123", b"ca", b"cat"]
    lines = [base64.b64encode(piece) + b" %d\n" % rank for rank, piece in enumerate(pieces)]
    path = tmp_path / name
    path.write_bytes(b"".join(lines))
    tokenizer = tokenizers.load(path)
    assert tokenizer.size == 260
    assert len(tokenizer.encode("123")) == digits
    assert tokenizer.encode("cat") == [259]
    assert tokenizer.decode(tokenizer.encode("猫、12!")) == "猫、12!"


@pytest.mark.parametrize("name", ["tokenizer.bin", "unknown.tiktoken"])
def test_another_format_is_refused(tmp_path, name):
    with pytest.raises(ValueError, match=re.escape(f"{name}: not a tokenizer that can be read")):
        tokenizers.load(tmp_path / name)


def test_cl100k_is_split_as_its_publisher_writes():
    published = inspect.getsource(openai_public.cl100k_base)
    assert tokenizers.PATTERNS["cl100k.tiktoken"] in published


def test_what_stands_for_all_that_is_unknown_is_known(tmp_path):
    known = {"猫": 0, "[UNK]": 1}
    words = hugging_face.Tokenizer(hugging_face.models.WordLevel(known, unk_token="[UNK]"))
    words.save(str(tmp_path / "words.json"))
    tokenizer = tokenizers.load(tmp_path / "words.json")
    assert tokenizer.unknown == 1 and tokenizer.encode("鳥") == [1]
