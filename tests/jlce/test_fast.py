"""Scores and answers equal those of one sequence read by itself."""

import pytest
import torch
from kensho.evaluate.journal import Journal
from kensho.jlce import fast
from transformers import AutoModelForCausalLM, Gemma3TextConfig, LlamaConfig, MistralConfig

SIZES = {
    **{"vocab_size": 61, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 3},
    **{"num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 8},
}
CONFIGS = {
    "llama": LlamaConfig(**SIZES),
    "window in every layer": MistralConfig(**SIZES, sliding_window=6),
    "window": Gemma3TextConfig(
        **SIZES,
        sliding_window=6,
        layer_types=["sliding_attention", "full_attention", "sliding_attention"],
    ),
}
SHOTS = [5, 6, 7, 8, 9, 10, 11, 12, 13, 14]
REQUESTS = [
    (SHOTS + [20, 21], [30, 31]),
    (SHOTS + [20, 21], [30]),
    (SHOTS + [20, 21], [33, 34, 35]),
    (SHOTS + [22], [30, 31, 32]),
    ([40], [41]),
    (SHOTS, [15]),
    (SHOTS + [22, 23, 24, 25, 26, 27, 28], [29]),
]


@pytest.fixture(params=CONFIGS)
def model(request):
    torch.manual_seed(1)
    return AutoModelForCausalLM.from_config(CONFIGS[request.param]).eval()


@torch.inference_mode()
def alone(model, context, continuation):
    logits = model(torch.tensor([context + continuation])).logits[0, len(context) - 1 : -1]
    rows = logits.log_softmax(-1)
    target = torch.tensor(continuation)
    return float(rows.gather(1, target[:, None]).sum()), bool((rows.argmax(-1) == target).all())


def test_a_model_over_several_devices_is_read_otherwise():
    model = AutoModelForCausalLM.from_config(CONFIGS["llama"])
    assert fast.unfit(model) is None
    model.hf_device_map = {"model.layers.0": 0, "model.layers.1": 1}
    assert "over several devices" in fast.unfit(model)


@pytest.mark.parametrize("nodes", [1, 8, 512])
def test_scores_are_those_of_each_sequence_alone(model, nodes):
    found = fast.loglikelihoods(model, REQUESTS, nodes=nodes)
    for (likelihood, greedy), request in zip(found, REQUESTS):
        expected = alone(model, *request)
        assert likelihood == pytest.approx(expected[0], rel=1e-4)
        assert greedy == expected[1]


@pytest.mark.parametrize(("batch", "nodes"), [(1, 512), (2, 4), (2, 512), (8, 512)])
def test_answers_are_those_of_each_context_alone(model, batch, nodes):
    contexts = [context for context, _ in REQUESTS]

    def ended(tokens):
        return tokens[-1] % 7 == 0

    found = fast.generate(model, contexts, fast.Decoding(9, ended, batch, nodes))
    for context, answer in zip(contexts, found):
        tokens = list(context)
        for step, token in enumerate(answer):  # each is the greedy one
            with torch.inference_mode():
                assert token == int(model(torch.tensor([tokens])).logits[0, -1].argmax())
            tokens.append(token)
            assert not ended(answer[:step] or [1])
        assert len(answer) == 9 or ended(answer)


def test_an_interrupted_call_goes_on_with_equal_bytes(model, tmp_path):
    path, whole = tmp_path / "journal.jsonl", {}
    undisturbed = fast.loglikelihoods(model, REQUESTS, nodes=8, journal=whole)
    assert len(whole) > 2

    class Killed(Journal):
        def __setitem__(self, key, value):
            if len(self) == 2:
                raise KeyboardInterrupt
            super().__setitem__(key, value)

    with pytest.raises(KeyboardInterrupt):
        fast.loglikelihoods(model, REQUESTS, nodes=8, journal=Killed(path))
    with open(path, "a") as file:
        file.write('["torn')
    journal = Journal(path)
    assert len(journal) == 2
    assert fast.loglikelihoods(model, REQUESTS, nodes=8, journal=journal) == undisturbed
    assert len(Journal(path)) == len(whole)
    calls = fast.loglikelihoods(None, REQUESTS, nodes=8, journal=Journal(path))  # nothing is run
    assert calls == undisturbed


def test_answers_come_from_the_journal_too(model, tmp_path):
    contexts = [context for context, _ in REQUESTS]
    decoding = fast.Decoding(4, lambda tokens: False, batch=2, nodes=512)
    journal = Journal(tmp_path / "journal.jsonl")
    first = fast.generate(model, contexts, decoding, journal=journal)
    assert fast.generate(None, contexts, decoding, journal=Journal(journal.path)) == first
