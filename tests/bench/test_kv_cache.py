from pathlib import Path

import pytest
from kensho.bench import kv_cache
from kensho.bench.settings import KVCache
from kensho.models import cards as architecture

CARDS = architecture.load(Path(__file__).parents[2] / "resources" / "architectures.yaml")
GRID = KVCache(lengths=[512, 1024], batches=[1, 2], dtypes=["float16"], measured_lengths=[8])


@pytest.fixture(scope="module")
def observed():
    return kv_cache.observe(CARDS, GRID)[0]


def bytes_of(table, arm, block):
    rows = table[(table["arm"] == arm) & (table["block"] == block)]
    return set(rows[rows["metric"] == "cache_bytes"]["value"])


def test_r1_keeps_576_elements_per_token_and_layer(observed):
    assert bytes_of(observed, "mla", "L512-B2-float16") == {576 * 512 * 2 * 2}
    assert bytes_of(observed, "mha", "L512-B2-float16") == {128 * (192 + 128) * 512 * 2 * 2}


def test_transformers_keeps_the_latent(observed):
    assert bytes_of(observed, "transformers-mla", "L8-B1-float16") == {576 * 8 * 2}


def test_whole_models_count_their_layers(observed):
    rows = observed[(observed["arm"] == "llama-2-7b")].set_index("metric")["value"]
    assert set(rows["cache_bytes_per_token"]) == {2 * 32 * 128 * 2 * 32}


def test_every_cell_has_three_equal_replicates(observed):
    cells = observed[observed["arm"] != "transformers-mla"]
    spread = cells.groupby(["arm", "block", "metric"])["value"].agg(["count", "nunique"])
    assert (spread["count"] == 3).all() and (spread["nunique"] == 1).all()


def test_a_byte_of_difference_is_an_error():
    cell = ("mla", (512, 1, "float16"), 0, 576 * 512 * 2 + 1, 576 * 512 * 2, 61)
    with pytest.raises(ValueError, match="mla, length 512, batch 1, float16"):
        list(kv_cache._cell(*cell))
