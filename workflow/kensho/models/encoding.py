"""Text and conversations as token ids: the one way of training, evaluation and JLCE."""

from collections.abc import Mapping, Sequence

from jinja2.exceptions import TemplateError
from transformers import PreTrainedTokenizerBase

PROBE = "kensho"
Message = Mapping[str, str]


def encode(tokenizer: PreTrainedTokenizerBase, text: str) -> list[int]:
    """Ids of a text with the special tokens that its tokenizer adds.

    A text that begins with the beginning-of-text token, as chat templates write it, gets no second.
    """
    begun = bool(tokenizer.bos_token) and text.startswith(tokenizer.bos_token)
    return tokenizer.encode(text, add_special_tokens=not begun)


def start(tokenizer: PreTrainedTokenizerBase) -> int:
    """The token behind which all of a text is scored; the end's where there is none to begin."""
    begin = tokenizer.bos_token_id
    return int(tokenizer.eos_token_id if begin is None else begin)


def render(
    tokenizer: PreTrainedTokenizerBase,
    messages: Sequence[Message],
    *,
    answering: bool = True,
    **settings,
) -> str:
    """A conversation by the chat template, up to where the next answer begins if ``answering``.

    A system prompt that the template refuses (Gemma 2), leaves out, or writes without a mark of its
    own (R1 distills, whose authors advise against one) opens the first user's turn instead.
    ``settings`` are the template's. Raises ValueError without a template.
    """
    if tokenizer.chat_template is None:
        raise ValueError(f"{tokenizer.name_or_path}: no chat template; ask this model plain text")
    if [m["role"] for m in messages[:2]] == ["system", "user"] and not _takes_system(tokenizer):
        system, user, *rest = messages
        messages = [{**user, "content": f"{system['content']}\n\n{user['content']}"}, *rest]
    return _templated(tokenizer, messages, add_generation_prompt=answering, **settings)


def _templated(tokenizer: PreTrainedTokenizerBase, messages: Sequence[Message], **settings) -> str:
    turns = [dict(message) for message in messages]
    return str(tokenizer.apply_chat_template(turns, tokenize=False, **settings))


def _takes_system(tokenizer: PreTrainedTokenizerBase) -> bool:
    """Whether the template gives a system prompt marks of its own."""
    asked = [{"role": "system", "content": PROBE}, {"role": "user", "content": "?"}]
    try:
        text = _templated(tokenizer, asked)
    except TemplateError:
        return False
    before, prompt, _ = text.partition(PROBE)
    return bool(prompt) and before.strip() not in ("", tokenizer.bos_token)


ANSWERED = ({"role": "user", "content": "?"}, {"role": "assistant", "content": PROBE})


def turn_start(tokenizer: PreTrainedTokenizerBase) -> str:
    """The blanks that the chat template writes between a prompt and its answer, most often none."""
    before = render(tokenizer, ANSWERED, answering=False).rpartition(PROBE)[0]
    prompt = render(tokenizer, ANSWERED[:1])
    between = before.removeprefix(prompt)
    return between if between.isspace() else ""


def turn_end(tokenizer: PreTrainedTokenizerBase) -> str:
    """What the chat template writes behind an answer, by which a model learns to end."""
    return render(tokenizer, ANSWERED, answering=False).rpartition(PROBE)[2].strip()
