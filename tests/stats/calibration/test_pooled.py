from kensho.stats.calibration import pooled


def test_pools_keep_their_promises_and_are_not_idle():
    found = pooled.acceptance(4000, seed=1)
    assert found["holds"].all(), found[~found["holds"]].to_string()
    designs = [*pooled.OWN, *pooled.SHARED]
    assert len(found) == 2 * len(designs) * len(pooled.EFFECTS)
    large = found[found["subject"].str.contains("site effect 1")].set_index("subject")["value"]
    assert large.loc["10 sites of 3 units, site effect 1"].between(0, 0.97).all()  # no wider
