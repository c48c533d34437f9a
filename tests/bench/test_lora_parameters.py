from pathlib import Path

from kensho.bench.lora_parameters import observe
from kensho.models import cards as architecture

CARDS = architecture.load(Path(__file__).parents[2] / "resources" / "architectures.yaml")


def test_counts_of_a_small_architecture():
    table = observe(CARDS, adapted="smollm2-135m", full=["smollm2-135m"], ranks=[8])
    counts = dict(zip(table["arm"], table["value"]))
    assert counts["full"] == 134_515_008
    # hidden 576, key-value width 192, 30 layers: q (576+576), v (576+192) at rank 8
    assert counts["lora-r8-qv"] == 30 * 8 * ((576 + 576) + (576 + 192))
    assert counts["lora-r8-qkvo"] == 30 * 8 * 2 * ((576 + 576) + (576 + 192))
    mlp = 3 * (576 + 1536)
    assert counts["lora-r8-all-linear"] == counts["lora-r8-qkvo"] + 30 * 8 * mlp
