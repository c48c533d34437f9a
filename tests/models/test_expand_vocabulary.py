import json

import pytest
import torch
from kensho.models import vocabulary
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import AutoModelForCausalLM, AutoTokenizer

TEXTS = ["犬が好きです。", "猫が好きですか？", "犬と猫がいます。", "Dogs run, dogs run fast."] * 5
COUNT = 12


@pytest.fixture(scope="module")
def base(tiny_model):
    """The tokenizer of bytes, with three merges: two English ones and the first bytes of kana."""
    content = json.loads((tiny_model / "tokenizer.json").read_text(encoding="utf-8"))
    merges = [["D", "o"], ["Do", "g"], ["ã", "ģ"]]
    for left, right in merges:
        content["model"]["vocab"][left + right] = len(content["model"]["vocab"])
    content["model"]["merges"] = merges
    return content


def both(base, texts=TEXTS, count=COUNT):
    expanded = vocabulary.expand(base, texts, count)
    return tuple(Tokenizer.from_str(json.dumps(content)) for content in (base, expanded))


def test_exactly_so_many_tokens_are_added_behind_the_old_ones(base):
    old, new = both(base)
    assert new.get_vocab_size() == old.get_vocab_size() + COUNT
    assert all(new.get_vocab()[token] == i for token, i in old.get_vocab().items())
    assert sorted(new.get_vocab().values()) == list(range(new.get_vocab_size()))


def test_japanese_gets_shorter_and_comes_back_and_english_stays(base):
    old, new = both(base)
    for text in [*TEXTS[:3], "犬だ", "鳥が好きですよ。", "mixed 猫 and Dogs"]:
        ids = new.encode(text).ids
        assert new.decode(ids) == text
        assert len(ids) < len(old.encode(text).ids)
    for text in [TEXTS[3], "Good dogs!", "naïve café – 한국어"]:
        assert new.encode(text).ids == old.encode(text).ids


def test_nothing_is_learnt_from_other_text(base):
    _, with_english = both(base)
    _, without = both(base, [text for text in TEXTS if "犬" in text or "猫" in text])
    assert with_english.to_str() == without.to_str()


def test_merges_stand_on_those_of_the_base(base):
    _, new = both(base)
    assert new.encode("Dog").tokens == ["Dog"]
    added = {token for token in new.get_vocab() if token not in base["model"]["vocab"]}
    assert any("ãģ" in token for token in added)  # the base's own kana merge is built upon


def test_too_little_text_and_other_kinds_of_tokenizer_are_refused(base):
    with pytest.raises(ValueError, match=r"give only \d+ of 500 tokens"):
        vocabulary.expand(base, TEXTS, 500)
    with pytest.raises(ValueError, match="a WordLevel tokenizer, neither BPE nor Unigram; take"):
        vocabulary.expand({**base, "model": {"type": "WordLevel"}}, TEXTS, 3)


@pytest.fixture(scope="module")
def unigram():
    """A unigram model with bytes for what it lacks, of which one piece is Japanese."""
    pieces = [("<unk>", 0.0), *((f"<0x{byte:02X}>", -20.0) for byte in range(256))]
    pieces += [(one, -5.0 - place) for place, one in enumerate(["▁", *"Dogsrunfat,. ", "です"])]
    core = Tokenizer(models.Unigram(pieces, unk_id=0, byte_fallback=True))
    core.pre_tokenizer = pre_tokenizers.Metaspace()
    parts = [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()]
    core.decoder = decoders.Sequence([*parts, decoders.Strip(" ", 1, 0)])
    return json.loads(core.to_str())


def test_a_unigram_model_gets_pieces_of_its_own_kind(unigram):
    old, new = both(unigram)
    assert sorted(new.get_vocab().values()) == [*range(old.get_vocab_size() + COUNT)]
    assert all(new.get_vocab()[token] == i for token, i in old.get_vocab().items())
    for text in TEXTS[:3]:
        ids = new.encode(text).ids
        assert new.decode(ids) == text
        assert len(ids) < len(old.encode(text).ids)
    assert new.encode(TEXTS[3]).ids == old.encode(TEXTS[3]).ids
    added = new.get_vocab().keys() - old.get_vocab().keys()
    assert len(added) == COUNT and all(vocabulary.JAPANESE.fullmatch(piece) for piece in added)
    assert both(unigram)[1].to_str() == new.to_str()
    with pytest.raises(ValueError, match=r"give only \d+ of 500 tokens; lower pieces"):
        vocabulary.expand(unigram, TEXTS, 500)
    with pytest.raises(ValueError, match="give only 0 of 5 tokens"):
        vocabulary.expand(unigram, TEXTS[3:4], 5)


@pytest.mark.parametrize("tied", [True, False])
def test_a_new_row_is_the_mean_of_its_parts(tiny_model, base, tied):
    old, new = both(base)
    config = AutoModelForCausalLM.from_pretrained(tiny_model).config
    config.tie_word_embeddings, config.vocab_size = tied, old.get_vocab_size()
    torch.manual_seed(1)
    model = AutoModelForCausalLM.from_config(config)
    tables = [model.get_input_embeddings(), model.get_output_embeddings()]
    before = [table.weight.detach().clone() for table in tables]
    vocabulary.resize(model, old, new)
    ids = new.get_vocab()
    added = [token for token in ids if token not in old.get_vocab()]
    after = [model.get_input_embeddings().weight, model.get_output_embeddings().weight]
    for weights, rows in zip(before, after, strict=True):
        assert len(rows) == new.get_vocab_size()
        torch.testing.assert_close(rows[: len(weights)], weights)
        for token in added:
            parts = [part.id for part in old.model.tokenize(token)]
            assert len(parts) > 1
            torch.testing.assert_close(rows[ids[token]], weights[parts].mean(dim=0))
    assert (after[0] is after[1]) == tied


def test_a_model_with_spare_rows_keeps_them(tiny_model, base):
    old, new = both(base)
    model = AutoModelForCausalLM.from_pretrained(tiny_model)
    model.resize_token_embeddings(400)
    vocabulary.resize(model, old, new)
    assert model.get_input_embeddings().num_embeddings == 400


def test_the_expanded_folder_loads_as_a_model(tiny_model, tmp_path):
    folder = tmp_path / "expanded"
    done = vocabulary.expand_model(tiny_model, TEXTS, COUNT, folder)
    assert done == {"vocabulary_before": 258, "vocabulary_after": 258 + COUNT}
    model, tokenizer = (
        kind.from_pretrained(folder) for kind in (AutoModelForCausalLM, AutoTokenizer)
    )
    ids = tokenizer("犬が好きです。", return_tensors="pt")["input_ids"]
    assert int(ids.max()) >= 258
    assert torch.isfinite(model(ids).logits).all()
    assert model.config.vocab_size == 258 + COUNT
    plain = AutoModelForCausalLM.from_pretrained(tiny_model)
    english = AutoTokenizer.from_pretrained(tiny_model)("dog", return_tensors="pt")["input_ids"]
    assert torch.equal(tokenizer("dog", return_tensors="pt")["input_ids"], english)
    torch.testing.assert_close(model(english).logits[..., :258], plain(english).logits)
