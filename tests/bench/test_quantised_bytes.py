from pathlib import Path

import numpy as np
import pytest
from conditions_example import tier
from gguf import GGMLQuantizationType, GGUFWriter
from kensho.bench import quantised_bytes
from kensho.models import formats
from kensho.models.cards import Card, load

ROOT = Path(__file__).parents[2]
GEMMA = ROOT / "results/sources/gemma-3-270m/gemma-3-270m-q4_k_m.gguf"


@pytest.fixture(scope="module")
def cards():
    return load(ROOT / "resources/architectures.yaml")


@pytest.fixture(scope="module")
def small():
    sizes = {
        "vocab_size": 512,
        "hidden_size": 256,
        "intermediate_size": 512,
        "num_hidden_layers": 8,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "tie_word_embeddings": False,
    }
    return Card(
        name="small", model_type="llama", config=sizes, parameters=None, source="-", remark="-"
    )


def values(frame, block):
    rows = frame[frame["block"] == block]
    return rows.set_index(["arm", "metric"])["value"]


def test_what_libraries_store_is_the_closed_form(small):
    found = values(quantised_bytes.observe({"small": small}, ["small"]), "small")
    # by layer: queries and output 256 x 256, keys and values 128 x 256, three of 512 x 256
    elements, rows, matrices = 8 * 589_824, 8 * (512 + 256 + 1024 + 256), 8 * 7
    assert found["bf16", "linear_bytes"] == 2 * elements
    assert found["int8", "linear_bytes"] == elements + 4 * rows
    assert found["fp8", "linear_bytes"] == elements + 4 * matrices
    assert found["nf4", "linear_bytes"] == elements / 2 + 4 * elements / 64 + 64 * matrices
    constants = elements / 64 + 4 * elements / 64 / 256
    assert found["nf4-double", "linear_bytes"] == elements / 2 + constants + 1092 * matrices
    rest = 2 * 512 * 256 + 17 * 256
    assert found["bf16", "weights_bytes"] == 2 * (elements + rest)
    assert found["nf4", "weights_bytes"] == found["nf4", "linear_bytes"] + 2 * rest
    assert found["fp32", "weights_bytes"] == 4 * (elements + rest)
    in_blocks = (elements + 2 * 512 * 256) // 32 * 34
    assert found["q8_0", "weights_bytes"] == in_blocks + 4 * 17 * 256


def test_a_byte_that_the_formula_misses_is_refused(small, monkeypatch):
    monkeypatch.setitem(formats.LINEAR, "fp8", lambda rows, columns: rows * columns)
    with pytest.raises(ValueError, match=r"fp8, small: stored .*, by formula"):
        quantised_bytes.observe({"small": small}, ["small"])


def test_layers_that_get_six_bits_are_those_of_a_real_file():
    # as in Gemma-3-270m's published Q4_K_M file
    assert [i for i in range(18) if formats.more_bits(i, 18)] == [0, 1, 4, 7, 10, 13, 15, 16, 17]


def test_sizes_are_those_that_llama_cpp_writes(cards):
    # tensors of SmolLM2 as llama-cpp-python 0.3.36 quantised them
    smollm2 = cards["smollm2-135m"]
    assert formats.model_bytes(smollm2, "q8_0")["weights_bytes"] == 143_025_408
    assert formats.model_bytes(smollm2, "q4_k_m")["weights_bytes"] == 103_668_480


def test_sixteen_bit_is_two_bytes_a_published_parameter(cards):
    for name in ("llama-2-7b", "smollm2-135m"):
        whole = formats.model_bytes(cards[name], "bf16")["weights_bytes"]
        assert whole == 2 * cards[name].parameters


def gguf_file(path, card, drop=0):
    writer = GGUFWriter(path, "llama")
    for weight in formats.weights(card)[drop:]:
        kind = formats.gguf_type(weight, "q4_k_m", 8, head=weight.kind == "output")
        size = formats.gguf_bytes(kind, weight.shape)
        data = np.zeros((*weight.shape[:-1], size // int(np.prod(weight.shape[:-1]))), np.uint8)
        writer.add_tensor(weight.name, data, raw_dtype=GGMLQuantizationType[kind])
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def test_a_file_with_other_tensors_is_refused(small, tmp_path, monkeypatch):
    monkeypatch.setitem(quantised_bytes.FILES, "small", "q4_k_m")
    given = {"small": small}
    good = {"small": gguf_file(tmp_path / "good.gguf", small)}
    found = values(quantised_bytes.observe_computed(given, good, []), "small")
    assert found["q4_k_m", "weights_bytes"] == formats.model_bytes(small, "q4_k_m")["weights_bytes"]
    bad = {"small": gguf_file(tmp_path / "bad.gguf", small, drop=1)}
    with pytest.raises(ValueError, match=r"bad\.gguf: its tensors hold"):
        quantised_bytes.observe_computed(given, bad, [])


@pytest.mark.slow
@pytest.mark.skipif(not GEMMA.is_file(), reason="Gemma's file has not been fetched")
def test_the_rule_of_q4_k_m_gives_a_real_file_to_the_byte(cards):
    files = {"gemma-3-270m": GEMMA}
    found = values(quantised_bytes.observe_computed(cards, files, ["llama-3-8b"]), "gemma-3-270m")
    assert found["q4_k_m", "weights_bytes"] == 246_587_904


def test_computed_sizes_are_analytic_and_name_what_they_were_held_against():
    assert tier(quantised_bytes.conditions()) == "at-scope"
    described = quantised_bytes.conditions_computed({"gemma-3-270m": GEMMA})
    assert tier(described) == "analytic" and "gemma-3-270m" in described["deviations"][0]
