"""How often the engine is right: simulations of its verdicts, its posteriors and its mistakes."""
