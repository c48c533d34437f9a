"""Converting, loading and describing models."""
