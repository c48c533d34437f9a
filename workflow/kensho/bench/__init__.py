"""Experiments: one module each, observations out."""
