"""QLoRA (Dettmers et al. 2023, arXiv 2305.14314): LoRA over a base that is held in NF4."""

from dataclasses import replace

from kensho.train.methods import lora

METHOD = replace(lora.METHOD, name="qlora", weights="nf4", half=True)
