"""Reading of the timing self-test: what must be found and what must not."""

import numpy as np
import pandas as pd

from kensho.stats import intervals

ALPHA = 0.001  # a sound machine fails in one of a thousand runs
PLANTED = 1.10
FOUND = (1.05, 1.15)  # where the ratio of the slowed work must lie


def verdicts(observed: pd.DataFrame) -> list[dict]:
    """Ratio of wall times to those of ``work``, paired by block, with its 99.9 % interval.

    ``observed`` is the table of :mod:`kensho.bench.selftest`. ``holds`` is True where the interval
    of the same work contains 1, and where that of the slowed work lies above 1 with its ratio in
    FOUND.
    """
    seconds = observed[observed["metric"] == "wall_seconds"]
    logs = np.log(seconds.pivot(index="block", columns="arm", values="value"))
    rows = []
    for arm, planted in (("work-again", 1.0), ("slowed", PLANTED)):
        fit = intervals.mean((logs[arm] - logs["work"]).to_numpy(), ALPHA)
        low, ratio, high = (float(np.exp(x)) for x in (fit.low, fit.estimate, fit.high))
        slower = low > 1 and FOUND[0] <= ratio <= FOUND[1]
        holds = slower if arm == "slowed" else low <= 1 <= high
        rows.append(
            {
                "arm": arm,
                "planted": planted,
                "ratio": ratio,
                "low": low,
                "high": high,
                "holds": holds,
            }
        )
    return rows
