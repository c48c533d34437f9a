"""The claims as they stand when an experiment starts, to be stored with what it observes.

Scripts read them through here: code digests follow imports of kensho alone, and a change of the
registry must not measure anything again.
"""

from pathlib import Path

from kensho.claims import registration
from kensho.claims.registration import oldest as oldest

CLAIMS = Path("config/claims")


def registered(experiment: str) -> dict[str, dict]:
    """Canonical record of each claim that tests the experiment."""
    return registration.registered(CLAIMS, experiment)
