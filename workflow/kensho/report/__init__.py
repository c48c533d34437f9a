"""The validation report: one HTML page made from files, with no statistics of its own."""
