"""Names of the study's experiments, of its arms, and of what they observe."""

ANSWERS, SCORES = "domain_answers", "domain_scores"
ROLES = ("swallow", "elyza", "qwen")
FORMATS = ("f16", "q8_0", "q4_k_m")  # of llama.cpp; a model's own arm is as transformers runs it
ATTENTIONS = ("mha", "gqa", "mqa", "mla")
JUDGES = "judges"
CHANGE = "q4_k_m_change"  # of a score, Q4_K_M - F16
UNITS = {"seconds": "s", "tokens": "tokens"}  # of each answer
SIZES = {"file_bytes": "bytes", "peak_memory_bytes": "bytes"}


def forms(adapted: str) -> dict[str, str]:
    """Format of each arm of one model, by its name: "" for its own."""
    return {adapted: "", **{f"{adapted}-{form}": form for form in FORMATS}}
