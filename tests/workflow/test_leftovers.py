"""The search for leftovers sees what is hidden in the ways in which Snakemake and pages hide it."""

import base64
import gzip

import pytest
from leftovers import TOKEN, holders


@pytest.mark.parametrize("hide", [bytes, gzip.compress, base64.b64encode, base64.urlsafe_b64encode])
def test_a_token_that_is_left_is_seen(tmp_path, hide):
    (tmp_path / "plain").write_bytes(hide(b"nothing that anybody would mind"))
    assert not [*holders(tmp_path, [TOKEN])]
    (tmp_path / "spoilt").write_bytes(hide(f"http://user:{TOKEN}@host".encode()))
    assert [*holders(tmp_path, [TOKEN])] == [str(tmp_path / "spoilt")]
    (tmp_path / "spoilt").rename(tmp_path / base64.b64encode(TOKEN.encode() * 2).decode())
    assert len([*holders(tmp_path, [TOKEN])]) == 1
