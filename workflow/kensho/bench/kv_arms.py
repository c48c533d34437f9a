"""Cards whose key-value cache is weighed (R-1)."""

CACHED = [
    "llama-2-7b",
    "llama-2-70b",
    "deepseek-67b",
    "r1-distill-qwen-1.5b",
    "r1-distill-qwen-14b",
    "r1-distill-qwen-32b",
    "r1-distill-llama-8b",
]
