"""Accounts, on a cluster that keeps books (slurmdbd)."""

import pytest
from toy_workflow import bring_up, said_by

pytestmark = pytest.mark.slurm


@pytest.fixture(scope="module")
def books(cluster):
    bring_up("--accounting")
    yield
    bring_up()


def under(account):
    # the whole key of the profile is replaced
    return ["--default-resources", f"slurm_account={account}", "runtime=10", "mem_mb=1000"]


def test_a_job_is_charged_to_its_account(books, toy):
    toy.start("results/toy/part-0.txt", *under("kensho")).succeeds()
    told = said_by("sacct", "-XPn", "--format=WorkDir,Account,State").splitlines()
    assert [line for line in told if line.startswith(f"{toy.folder}|")] == [
        f"{toy.folder}|kensho|COMPLETED"
    ]


def test_an_account_that_is_none_is_refused_by_name(books, toy):
    head = toy.start("results/toy/part-0.txt", *under("nobody"))
    assert head.wait(120) != 0
    assert "account nobody" in head.said and "kensho" in head.said, head.said
    assert not toy.written()
