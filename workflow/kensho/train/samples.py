"""A sample as token ids, and which of them a model learns."""

from collections.abc import Sequence

from transformers import PreTrainedTokenizerBase

from kensho.evaluate.thinking import closing, opened
from kensho.models.encoding import encode, render, turn_end

IGNORED = -100  # label of a token without loss


def encoded(
    tokenizer: PreTrainedTokenizerBase,
    prompt: str,
    completion: str,
    *,
    chat: bool,
    before: Sequence[tuple[str, str]] = (),
) -> dict[str, list[int]]:
    """``input_ids`` of prompt and completion, and ``labels``: the completion's ids, IGNORED before.

    The completion begins where the encodings with and without it part. It ends with the end of a
    text or, in ``chat``, of a turn; there it first closes the thinking that the template opens, as
    an answer within it would be none. Prompts and completions ``before`` it are read, not learned:
    as earlier turns, or in plain text with an empty line behind each.
    """
    end = tokenizer.eos_token
    if chat:
        earlier = [
            {"role": role, "content": text.strip()}
            for pair in before
            for role, text in zip(("user", "assistant"), pair, strict=True)
        ]
        prompt = render(tokenizer, [*earlier, {"role": "user", "content": prompt}])
        if mark := opened(prompt):
            completion = f"{closing(mark)}\n\n{completion}"
        end = turn_end(tokenizer) or end
    else:
        prompt = "".join(f"{asked}{answer}\n\n" for asked, answer in before) + prompt
    text = prompt + completion
    asked, whole = encode(tokenizer, prompt), encode(tokenizer, text.removesuffix(end) + end)
    pairs = enumerate(zip(asked, whole, strict=False))
    common = next((place for place, (one, other) in pairs if one != other), len(asked))
    return {"input_ids": whole, "labels": [IGNORED] * common + whole[common:]}
