"""Architecture cards: published dimensions, and the counts that follow from them alone."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from kensho.validation import problems, read_yaml

if TYPE_CHECKING:
    from transformers import PreTrainedModel


class Named(BaseModel):
    """An entry of a list whose names differ."""

    name: str


class Card(Named):
    """One architecture; `config` is what transformers' configuration of `model_type` takes."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, protected_namespaces=())

    model_type: str
    config: dict[str, int | float | bool | str | list[int] | list[str] | None]
    parameters: int | None = Field(description="published exact total, or null")
    source: str
    remark: str

    @property
    def hub(self) -> str | None:
        """The repository that the dimensions are of, None where the source is no hub."""
        host, _, name = self.source.partition("/")
        return name if host == "huggingface.co" else None

    def size(self, key: str) -> int:
        """A whole number of the configuration. Raises ValueError where it is none."""
        value = self.config.get(key)
        if not isinstance(value, int) or isinstance(value, bool):
            raise ValueError(f"card '{self.name}': {key} is {value}, not a whole number")
        return value


Kind = TypeVar("Kind", bound=Named)


def load(path: Path) -> dict[str, Card]:
    """Architecture cards by name. Raises ValueError as :func:`load_kind` does."""
    return load_kind(path, Card)


def load_kind(path: Path, kind: type[Kind]) -> dict[str, Kind]:
    """Read the cards of a YAML list, by name. Raises ValueError with one line for each problem."""
    entries = read_yaml(path)
    if not isinstance(entries, list):
        raise ValueError(f"{path}: expected a list of cards (each starting with '- name:')")
    cards: dict[str, Kind] = {}
    faults: list[str] = []
    for number, entry in enumerate(entries, start=1):
        name = entry.get("name") if isinstance(entry, dict) else None
        try:
            card = kind.model_validate(entry)
        except ValidationError as error:
            faults += problems(error, str(path), kind, under=str(name or f"entry {number}"))
            continue
        if card.name in cards:
            faults.append(f"{path}: {card.name}.name: used twice")
        cards[card.name] = card
    if faults:
        raise ValueError("\n".join(faults))
    return cards


def of_model(folder: Path, name: str) -> Card:
    """The card of a model by its own config.json."""
    from transformers import AutoConfig

    config = AutoConfig.from_pretrained(folder).get_text_config()
    plain: dict[str, Any] = {
        k: v for k, v in config.to_dict().items() if isinstance(v, int | float | bool | str)
    }
    model_type, source = config.model_type, "config.json of the model"
    shape = {key: value for key, value in plain.items() if key not in ("model_type", "dtype")}
    return Card(
        name=name, model_type=model_type, config=shape, parameters=None, source=source, remark=""
    )


def build_on_meta(card: Card) -> PreTrainedModel:
    """Build the causal language model of a card with its shapes but without storage."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    config = AutoConfig.for_model(card.model_type, **card.config)
    with torch.device("meta"):
        return AutoModelForCausalLM.from_config(config)


def parameter_count(card: Card) -> int:
    """Number of parameters of the built model, tied weights counted once."""
    return sum(parameter.numel() for parameter in build_on_meta(card).parameters())


def matches(card: Card, folder: Path, parameters: int) -> bool:
    """Whether the model of a folder has the card's dimensions and number of parameters."""
    from transformers import AutoConfig

    there = AutoConfig.from_pretrained(folder)
    if there.model_type != card.model_type:
        return False
    ours = AutoConfig.for_model(card.model_type, **card.config)
    same = all(getattr(there, key, None) == getattr(ours, key) for key in card.config)
    return same and parameters == parameter_count(card)


def cache_elements_per_token_layer(card: Card) -> int:
    """Elements that one layer must cache for one token.

    Multi-head and grouped-query attention keep a key and a value for each key-value head; latent
    attention (MLA; DeepSeek-V2, arXiv 2405.04434, section 2.1) keeps the compressed latent and the
    shared rotary key. Raises ValueError where the card lacks a dimension.
    """
    sizes = card.config
    if "kv_lora_rank" in sizes:
        return _size(card, "kv_lora_rank") + _size(card, "qk_rope_head_dim")
    heads = _size(card, "num_attention_heads", "n_head")
    kv_heads = _size(card, "num_key_value_heads") if "num_key_value_heads" in sizes else heads
    if "head_dim" in sizes:
        return 2 * kv_heads * _size(card, "head_dim")
    return 2 * kv_heads * (_size(card, "hidden_size", "n_embd") // heads)


def _size(card: Card, *names: str) -> int:
    for name in names:
        size = card.config.get(name)
        if isinstance(size, int):
            return size
    raise ValueError(f"card '{card.name}': config lacks {' or '.join(names)}")
