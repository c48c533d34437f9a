"""The validation report: one HTML page made from files, with no statistics of its own."""

from kensho.report.page import build

__all__ = ["build"]
