"""The validation report: one HTML page made from files, with no statistics of its own."""

from kensho.report.page import Tables, build

__all__ = ["Tables", "build"]
