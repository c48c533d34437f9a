"""Preflight with a cluster's profile asks the cluster, not the machine that it is started on."""

import pytest

pytestmark = pytest.mark.slurm


def test_preflight_tells_what_the_cluster_has_and_lacks(project):
    said = project.start("preflight").succeeds(120).said
    assert "partitions cpu, mi300x" in said and "problem(s)" not in said
    wanted = ["accelerator=rocm", "cluster={gpu_model: mi400}"]
    head = project.start("--config", *wanted, "--", "preflight")
    assert head.wait(120) != 0
    assert "no partition offers gpu:mi400 (gpu:mi300x:8" in head.said
    assert "is not built for rocm" in head.said and "/dev/kfd" not in head.said
