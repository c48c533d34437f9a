"""From paired observations to a verdict: two schools of inference and one decision rule."""
