from pathlib import Path

import pytest
from kensho.models import cards, twins
from kensho.models.cards import Card

PATH = Path(__file__).parents[2] / "resources/architectures.yaml"


KNOWN = cards.load(PATH)


@pytest.fixture(scope="module")
def known():
    return KNOWN


@pytest.mark.parametrize("card", KNOWN.values(), ids=KNOWN)
def test_every_card_builds_and_has_the_published_number_of_parameters(card):
    count = cards.parameter_count(card)
    assert card.parameters in (None, count)


@pytest.mark.parametrize("model_type", twins.CONFIGS)
def test_every_architecture_can_have_a_card(model_type):
    config = twins.CONFIGS[model_type]
    card = Card(
        name="x", model_type=model_type, config=config, parameters=None, source="test", remark=""
    )
    assert cards.parameter_count(card) > 0


def test_open_calm_1b_follows_from_its_dimensions(known):
    h, ff, layers, vocab = 2048, 8192, 24, 52096
    attention = (h * 3 * h + 3 * h) + (h * h + h)
    feed_forward = (h * ff + ff) + (ff * h + h)
    layer = attention + feed_forward + 2 * 2 * h
    total = 2 * vocab * h + layers * layer + 2 * h
    assert cards.parameter_count(known["open-calm-1b"]) == total


def test_japanese_gpt_1b_follows_from_its_dimensions(known):
    h, layers, vocab, positions = 2048, 24, 44928, 1024
    layer = 12 * h**2 + 13 * h
    total = (vocab + positions) * h + layers * layer + 2 * h
    assert cards.parameter_count(known["japanese-gpt-1b"]) == total


def test_swallow_adds_only_rows_of_the_two_embeddings(known):
    added = cards.parameter_count(known["swallow-7b"]) - 6_738_415_616
    assert added == 2 * 4096 * (43176 - 32000)


def test_meta_models_hold_no_storage(known):
    model = cards.build_on_meta(known["smollm2-135m"])
    assert all(parameter.is_meta for parameter in model.parameters())


def test_every_key_of_a_config_is_known_to_transformers(known):
    from transformers import AutoConfig

    def unknown(model_type, config):  # they become attributes as they are
        default, made = (AutoConfig.for_model(model_type, **given) for given in ({}, config))
        return [key for key in config if hasattr(made, key) and not hasattr(default, key)]

    assert unknown("llama", {"hidden_sise": 8}) == ["hidden_sise"]
    for card in known.values():
        assert unknown(card.model_type, card.config) == [], card.name


@pytest.mark.parametrize(
    ("name", "elements"),
    [
        ("deepseek-r1", 512 + 64),
        ("llama-2-7b", 2 * 32 * 128),
        ("llama-2-70b", 2 * 8 * 128),
        ("deepseek-67b", 2 * 8 * 128),
        ("r1-distill-qwen-1.5b", 2 * 2 * 128),
        ("gemma-3-270m", 2 * 1 * 256),  # its head size is not hidden size / heads
        ("japanese-gpt-1b", 2 * 16 * 128),
    ],
)
def test_cache_elements(known, name, elements):
    assert cards.cache_elements_per_token_layer(known[name]) == elements


def test_cache_elements_name_a_missing_dimension(known):
    card = known["llama-2-7b"].model_copy(update={"config": {"num_attention_heads": 32}})
    with pytest.raises(ValueError, match="'llama-2-7b': config lacks hidden_size or n_embd"):
        cards.cache_elements_per_token_layer(card)


def test_faulty_cards_are_refused_all_at_once(tmp_path):
    path = tmp_path / "cards.yaml"
    path.write_text(
        "- {name: a, model_typ: llama, config: {}, parameters: 1.5, source: x, remark: ''}\n"
        "- {name: b, model_type: llama, config: {}, parameters: null, source: x, remark: ''}\n"
        "- {name: b, model_type: llama, config: {}, parameters: null, source: x, remark: ''}\n"
    )
    with pytest.raises(ValueError, match="did you mean") as caught:
        cards.load(path)
    assert sorted(str(caught.value).splitlines()) == [
        f"{path}: a.model_typ: unknown key, did you mean 'model_type'?",
        f"{path}: a.model_type: required key is missing",
        f"{path}: a.parameters: expected a whole number, found 1.5",
        f"{path}: b.name: used twice",
    ]
