"""A word-segmentation model of our own, in the form that Vaporetto and KyTea both read (R-7)."""
