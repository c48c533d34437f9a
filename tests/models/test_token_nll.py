import pytest
import torch
from kensho.models import token_nll as module
from kensho.models.token_nll import token_nll
from torch.nn.functional import cross_entropy


def made(tokens, vocabulary, seed=1):
    generator = torch.Generator().manual_seed(seed)
    logits = 3 * torch.randn(tokens, vocabulary, generator=generator)
    return logits, torch.randint(0, vocabulary, (tokens,), generator=generator)


@pytest.mark.parametrize("vocabulary", [50, 49_152, 262_144])
def test_likelihoods_and_gradients_are_those_of_twice_the_precision(vocabulary):
    logits, wanted = made(20, vocabulary)
    weights = torch.linspace(-1, 2, 20)
    exact = logits.double().requires_grad_()
    told = cross_entropy(exact, wanted, reduction="none")
    (told * weights).sum().backward()
    logits.requires_grad_()
    ours = token_nll(logits, wanted)
    (ours * weights).sum().backward()
    assert (ours.double() - told).abs().max() < 2e-6
    assert (ours.double() - told).mean().abs() < 1e-6  # errors of one sign would not cancel
    torch.testing.assert_close(logits.grad.double(), exact.grad, atol=2e-6, rtol=0)


def test_pieces_of_any_size_give_the_same(monkeypatch):
    logits, wanted = made(7, 10)
    whole = logits.clone().requires_grad_()
    token_nll(whole, wanted).sum().backward()
    monkeypatch.setattr(module, "AT_ONCE", 30)
    pieces = logits.clone().requires_grad_()
    assert torch.equal(token_nll(pieces, wanted), token_nll(logits, wanted))
    token_nll(pieces, wanted).sum().backward()
    assert torch.equal(whole.grad, pieces.grad)


def test_half_precision_is_summed_in_float32_and_its_logits_stay():
    logits, wanted = made(5, 1000)
    half = logits.bfloat16().requires_grad_()
    before = half.detach().clone()
    ours = token_nll(half, wanted)
    ours.sum().backward()
    assert ours.dtype == torch.float32 and half.grad.dtype == torch.bfloat16
    assert torch.equal(half.detach(), before)
    torch.testing.assert_close(ours, cross_entropy(before.float(), wanted, reduction="none"))


def test_no_token_has_no_loss():
    assert token_nll(*made(0, 10)).sum() == 0


def test_who_asks_twice_or_still_needs_the_logits_is_refused():
    logits, wanted = made(4, 10)
    loss = token_nll(logits.requires_grad_() * 1, wanted).sum()
    loss.backward(retain_graph=True)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.backward()
    bent = torch.tanh(logits)  # whose own gradient is made of what it gave
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        token_nll(bent, wanted).sum().backward()
