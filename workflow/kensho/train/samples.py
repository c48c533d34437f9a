"""A sample as token ids, and which of them a model learns."""

from collections.abc import Sequence

from transformers import PreTrainedTokenizerBase

from kensho.data.prompt import DELIMITER
from kensho.evaluate.thinking import closing, opened
from kensho.models.encoding import encode, render, turn_end, turn_start

IGNORED = -100  # label of a token without loss


def texts(
    tokenizer: PreTrainedTokenizerBase,
    prompt: str,
    completion: str,
    *,
    chat: bool,
    before: Sequence[tuple[str, str]] = (),
) -> tuple[str, str, str]:
    """Prompt as the model reads it, completion without its end, and that end.

    In ``chat`` the prompt is a user's turn, the end that of a turn, and the completion begins as
    the template has it, not with the blank of plain text, but first closes the thinking that the
    template opens, as an answer within it would be none. Prompts and
    completions ``before`` it are read as earlier turns, or in plain text with an empty line behind
    each.
    """
    end = tokenizer.eos_token
    if chat:
        earlier = [
            {"role": role, "content": text.strip()}
            for pair in before
            for role, text in zip(("user", "assistant"), pair, strict=True)
        ]
        prompt = render(tokenizer, [*earlier, {"role": "user", "content": prompt}])
        completion = turn_start(tokenizer) + completion.removeprefix(DELIMITER)
        if mark := opened(prompt):
            completion = f"{closing(mark)}\n\n{completion}"
        end = turn_end(tokenizer) or end
    else:
        prompt = "".join(f"{asked}{answer}\n\n" for asked, answer in before) + prompt
    return prompt, completion, end


def encoded(
    tokenizer: PreTrainedTokenizerBase,
    prompt: str,
    completion: str,
    *,
    chat: bool,
    before: Sequence[tuple[str, str]] = (),
    learned: str = "completions",
) -> dict[str, list[int]]:
    """``input_ids`` of prompt and completion, and ``labels``: the completion's ids, IGNORED before.

    The completion begins where the encodings with and without it part, and ends with its end. What
    is ``before`` it is read, not learned; where ``all`` is learned the labels are the ids.
    """
    prompt, completion, end = texts(tokenizer, prompt, completion, chat=chat, before=before)
    whole = encode(tokenizer, (prompt + completion).removesuffix(end) + end)
    if learned == "all":
        return {"input_ids": whole, "labels": whole}
    asked = encode(tokenizer, prompt)
    pairs = enumerate(zip(asked, whole, strict=False))
    common = next((place for place, (one, other) in pairs if one != other), len(asked))
    return {"input_ids": whole, "labels": [IGNORED] * common + whole[common:]}
