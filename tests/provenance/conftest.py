import shutil

import pytest
import small_crate


@pytest.fixture(scope="session")
def sound(tmp_path_factory):
    """A crate that nobody may change."""
    return small_crate.build(tmp_path_factory.mktemp("crate"))


@pytest.fixture
def crate(sound, tmp_path):
    """A copy of it."""
    return shutil.copytree(sound, tmp_path / "crate")
