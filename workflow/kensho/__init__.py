"""Kenshō: published claims in, verdicts out."""

__version__ = "0.1.0"
