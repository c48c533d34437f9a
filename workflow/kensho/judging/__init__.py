"""Translations and answers of several models, and what judges say of them (D-1 to D-5)."""
