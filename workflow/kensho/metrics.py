"""Names of metrics that what observes and what judges have in common."""

OVER = " over "  # between the models of a comparison, the one shown first in front
# What corpus BLEU is computed from: lengths of answer and reference in words, and for n-grams of 1
# to 4 words how many of an answer stand in a reference, and how many it has.
BLEU = (
    *("bleu_length", "bleu_reference_length"),
    *(f"bleu_{what}_{n}" for what in ("right", "ngrams") for n in (1, 2, 3, 4)),
)
