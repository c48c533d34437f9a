"""Training: methods, stages, the loop, and what a step holds in memory."""
