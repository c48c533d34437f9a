"""Japanese tasks on lm-evaluation-harness: tasks as data, items as observations."""
