"""Classes of licences: what a run may use and a crate may hold is chosen by them."""

from typing import Literal

LicenceClass = Literal[
    "permissive",
    "public-domain",
    "by",
    "by-sa",
    "common-crawl-terms",
    "nc",
    "nd",
    "model-licence",
    "gemma-terms",
    "llama-licence",
]
