"""Sources, cleaning, near-duplicates and splits."""
