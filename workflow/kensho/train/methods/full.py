"""Full fine-tuning: every weight, kept in float32."""

from kensho.train.methods import Method

METHOD = Method("full", weights="float32")
