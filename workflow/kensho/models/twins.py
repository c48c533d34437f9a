"""Twins: models of a published architecture with two narrow layers and random weights.

They show that an architecture goes through the workflow. Their configuration says that they are
twins, so that their weights are never taken for those of a model.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kensho.files import read_json

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

MARK = "kensho_twin"
WIDTH, WINDOW, HEADS, GROUPS = 64, 24, 2, 1  # heads of 32, the least that engines have
DECODER: dict[str, Any] = {
    **{"hidden_size": WIDTH, "intermediate_size": 2 * WIDTH, "num_hidden_layers": 2},
    **{"num_attention_heads": HEADS, "num_key_value_heads": GROUPS},
    **{"max_position_embeddings": 2048, "initializer_range": 0.1},
}
EXPERTS = {"num_experts_per_tok": 2, "num_local_experts": 4}
LATENT = {
    **{"kv_lora_rank": 16, "q_lora_rank": 16, "qk_nope_head_dim": 16, "qk_rope_head_dim": 8},
    **{"v_head_dim": 16, "num_key_value_heads": HEADS, "moe_intermediate_size": WIDTH // 2},
    **{"n_routed_experts": 4, "n_group": 2, "topk_group": 1, "num_experts_per_tok": 2},
    **{"first_k_dense_replace": 1, "num_mtp_layers": 0},
    **{"topk_method": "noaux_tc", "scoring_func": "sigmoid"},  # as published; engines ask
}
ALTERNATING = ["sliding_attention", "full_attention"]
CONFIGS: dict[str, dict[str, Any]] = {
    "llama": DECODER,
    "qwen2": DECODER,
    "qwen3": {**DECODER, "head_dim": WIDTH // HEADS},
    "mistral": {**DECODER, "sliding_window": WINDOW},
    "mixtral": {**DECODER, **EXPERTS},
    "deepseek_v3": {**DECODER, **LATENT},
    "lfm2": {
        **DECODER,
        **{"layer_types": ["conv", "full_attention"], "block_multiple_of": 32},
        **{
            "conv_dim": WIDTH,
            "conv_dim_out": WIDTH,
            "block_dim": WIDTH,
        },  # as published; engines ask
    },
    "gpt_neox": {key: DECODER[key] for key in DECODER if key != "num_key_value_heads"},
    "gpt2": {
        **{"n_embd": WIDTH, "n_layer": 2, "n_head": HEADS, "n_positions": 2048},
        "initializer_range": 0.1,
    },
    "gemma3_text": {
        **DECODER,
        **{"head_dim": WIDTH // HEADS, "query_pre_attn_scalar": WIDTH // HEADS},
        **{"sliding_window": WINDOW, "layer_types": ALTERNATING},
    },
}
# Of roles without a card: model type, class of transformers, configuration.
BY_ROLE: dict[str, tuple[str, str, dict[str, Any]]] = {
    "masked": (
        "modernbert",
        "AutoModelForMaskedLM",
        {
            **{key: DECODER[key] for key in DECODER if key != "num_key_value_heads"},
            **dict.fromkeys(["cls_token_id", "sep_token_id"]),
        },
    ),
    "translation": (
        "marian",
        "AutoModelForSeq2SeqLM",
        {
            **{"d_model": WIDTH, "encoder_layers": 1, "decoder_layers": 1, "init_std": 0.1},
            **{f"{part}_attention_heads": HEADS for part in ("encoder", "decoder")},
            **{f"{part}_ffn_dim": 2 * WIDTH for part in ("encoder", "decoder")},
            **dict.fromkeys(["decoder_start_token_id", "forced_eos_token_id"], 1),  # </s>
        },
    ),
}
KINDS = {kind: ("AutoModelForCausalLM", config) for kind, config in CONFIGS.items()}
KINDS |= {kind: (loader, config) for kind, loader, config in BY_ROLE.values()}
TOKENIZER_FILES = (
    "tokenizer*",
    "chat_template*",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.json",
    "merges.txt",
)


def make(
    model_type: str,
    folder: Path,
    *,
    seed: int,
    tokenizer: Path | None = None,
    shard_bytes: int = 200_000,
    changes: Mapping[str, Any] | None = None,
    chat_template: str | None = None,
) -> Path:
    """Write the twin of an architecture: sharded safetensors with their index, tokenizer, config.

    The ``tokenizer`` is that of a folder, else one of single bytes with ``chat_template``;
    ``changes`` lie over the configuration of :data:`KINDS`. The folder appears only when
    complete. Raises ValueError for an architecture that has no twin.
    """
    import torch
    import transformers
    from transformers import AutoConfig, AutoTokenizer

    if model_type not in KINDS:
        raise ValueError(f"no twin of model type '{model_type}' (known: {', '.join(KINDS)})")
    loader, sizes = KINDS[model_type]
    temporary = folder.with_name(f".{folder.name}.partial")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    if tokenizer is None:
        bytewise = byte_tokenizer()
        bytewise.chat_template = chat_template
        if model_type not in CONFIGS:
            bytewise.add_special_tokens({"mask_token": "<mask>", "pad_token": "</s>"})
        bytewise.save_pretrained(temporary)
    else:
        for path in (path for files in TOKENIZER_FILES for path in tokenizer.glob(files)):
            shutil.copy(path, temporary)
    config = AutoConfig.for_model(model_type, **{**sizes, **(changes or {}), MARK: True})
    config.save_pretrained(temporary)  # a tokenizer's class, and so its tokens, follow from it
    coder = AutoTokenizer.from_pretrained(temporary)
    for key in ("bos_token_id", "eos_token_id", "pad_token_id"):
        setattr(config, key, getattr(coder, key))
    config.vocab_size = max(coder.get_vocab().values()) + 1
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = getattr(transformers, loader).from_config(config, dtype=torch.float32)
    model.save_pretrained(temporary, max_shard_size=shard_bytes)
    shutil.rmtree(folder, ignore_errors=True)
    temporary.rename(folder)
    return folder


def is_twin(folder: Path | str) -> bool:
    """Whether the weights of a model folder are a twin's, or were trained from one."""
    return bool(read_json(Path(folder) / "config.json").get(MARK, False))


def byte_tokenizer() -> PreTrainedTokenizerFast:
    """A token for each byte, ``<s>`` and ``</s>``; it adds none by itself and has no padding."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {token: index for index, token in enumerate(["<s>", "</s>", *alphabet])}
    core = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    core.decoder = decoders.ByteLevel()
    return PreTrainedTokenizerFast(tokenizer_object=core, bos_token="<s>", eos_token="</s>")
