"""What SLURM is asked for where a job has several accelerators, or several nodes of them."""

import inspect
from types import SimpleNamespace

import pytest
from kensho.plan.directives import Directives
from snakemake_executor_plugin_slurm.submit_string import get_submit_command
from snakemake_executor_plugin_slurm.utils import set_gres_string

PARAMETERS = ["run_uuid", "slurm_logfile", "comment_str", "account", "partition"]


def value(one):
    """What Snakemake makes of a resource at the second attempt."""
    return one(*([{}, 2][: len(inspect.signature(one).parameters)]))


class Resources(dict):
    __getattr__ = dict.__getitem__


@pytest.fixture
def submitted():
    """The options of sbatch, by the plugin, of a job on so many accelerators of nodes of eight."""

    def line(devices):
        cluster = SimpleNamespace(gpu_model="mi300x", devices_per_node=8, memory=1)
        own = Directives(SimpleNamespace(accelerator="rocm", cluster=cluster))
        own.places = lambda: {"train_stage x": (devices, 500)}
        asked = own.placed("train_stage", lambda wildcards: "x", own.memory(8000))
        values = {key: value(one) if callable(one) else one for key, one in asked.items()}
        # Snakemake leaves out what is None
        kept = Resources({k: v for k, v in values.items() if v is not None})
        job = SimpleNamespace(resources=kept, threads=16, name="x", is_group=lambda: False)
        line = get_submit_command(job, dict.fromkeys(PARAMETERS, "x") | {"workdir": ""})
        return f"{line}{set_gres_string(job)} ".split()

    return line


@pytest.mark.parametrize("devices", [1, 2, 4, 8])
def test_a_job_on_one_node_is_one_task(submitted, devices):
    options = submitted(devices)
    assert {"--nodes=1", f"--gpus=mi300x:{devices}"} <= {*options}
    assert options[options.index("--mem") + 1] == str(2 * 8000 + 500)  # the weights stay as large
    assert not any(option.startswith("--ntasks") for option in options)


def test_a_job_on_two_nodes_is_one_task_on_each(submitted):
    options = submitted(16)
    assert {"--nodes=2", "--ntasks=2", "--gpus=mi300x:16"} <= {*options}
    assert not any(option.startswith("--ntasks-per-gpu") for option in options)
