"""Twins with the tokenizers and chat templates that need care, as the hub has them."""

import json
from pathlib import Path

from kensho.models import twins
from tokenizers.processors import TemplateProcessing

TURNS = "{%% for m in messages %%}%s{%% endfor %%}"
R1 = (  # deepseek-ai/DeepSeek-R1-Distill-*, without tools
    "{{ bos_token }}"
    + TURNS
    % (
        "{% if m.role == 'system' %}{{ m.content }}"
        "{% elif m.role == 'user' %}<｜User｜>{{ m.content }}"
        "{% else %}<｜Assistant｜>{{ m.content.split('</think>')[-1] }}{{ eos_token }}{% endif %}"
    )
    + "{% if add_generation_prompt %}<｜Assistant｜><think>\n{% endif %}"
)
GEMMA = (  # google/gemma-2
    "{{ bos_token }}{% if messages[0].role == 'system' %}"
    "{{ raise_exception('System role not supported') }}{% endif %}"
    + TURNS
    % (
        "<start_of_turn>{{ 'model' if m.role == 'assistant' else m.role }}\n"
        "{{ m.content | trim }}<end_of_turn>\n"
    )
    + "{% if add_generation_prompt %}<start_of_turn>model\n{% endif %}"
)
LLAMA = TURNS % (  # meta-llama/Llama-2
    "{% if m.role == 'system' %}{{ bos_token }}[INST] <<SYS>>\n{{ m.content }}\n<</SYS>>\n\n"
    "{% elif m.role == 'user' %}{{ '' if loop.index0 else bos_token + '[INST] ' }}"
    "{{ m.content }} [/INST]{% else %} {{ m.content }} {{ eos_token }}{% endif %}"
)
KINDS = {  # model type, chat template, special tokens besides those of begin and end
    "r1-distill": ("qwen2", R1, []),
    "gemma": ("gemma3_text", GEMMA, ["<start_of_turn>", "<end_of_turn>"]),
    "gpt2": ("gpt2", None, []),
    "llama": ("llama", LLAMA, []),
}


def special(kind: str, folder: Path) -> Path:
    """The twin of a kind; all but GPT-2's add a beginning that the template writes too."""
    model_type, template, more = KINDS[kind]
    tokenizer = twins.byte_tokenizer()
    if template:
        begin = [("<s>", tokenizer.bos_token_id)]
        tokenizer.backend_tokenizer.post_processor = TemplateProcessing(
            single="<s> $A", pair="<s> $A $B", special_tokens=begin
        )
        tokenizer.chat_template = template
    tokenizer.add_special_tokens({"additional_special_tokens": more})
    source = folder.parent / f"{kind}-tokenizer"
    tokenizer.save_pretrained(source)
    if kind == "r1-distill":  # as published, whatever the tokens are
        path = source / "tokenizer_config.json"
        settings = json.loads(path.read_text()) | {"tokenizer_class": "LlamaTokenizerFast"}
        path.write_text(json.dumps(settings))
    return twins.make(model_type, folder, seed=1, tokenizer=source, shard_bytes=10**9)


def convertible(folder):
    """Two layers of Llama, as wide as a block of K-quants, with a tokenizer of SentencePiece."""
    import sentencepiece
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    folder.mkdir()
    text = [f"これは{n}番目の文です。 This is sentence {n}." for n in range(300)]
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(text), model_prefix=str(folder / "tokenizer"), vocab_size=400,
        model_type="bpe", byte_fallback=True, minloglevel=2,
    )  # fmt: skip
    (folder / "tokenizer.vocab").unlink()
    config = LlamaConfig(
        vocab_size=400, hidden_size=256, intermediate_size=512, num_hidden_layers=2,
        num_attention_heads=4, num_key_value_heads=2, max_position_embeddings=128,
    )  # fmt: skip
    torch.manual_seed(0)
    LlamaForCausalLM(config).save_pretrained(folder)
    twins.byte_tokenizer().save_pretrained(folder)  # ours; the converter reads tokenizer.model
    return folder
