import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from conditions_example import tier
from kensho.bench import gemm
from kensho.bench.run import Run
from kensho.bench.settings import Gemm
from kensho.models import cards as architecture
from kensho.models import hardware

ROOT = Path(__file__).parents[2]
CARDS = architecture.load(ROOT / "resources" / "architectures.yaml")
HARDWARE = hardware.load(ROOT / "resources" / "hardware.yaml")


def python(*arguments, **environment):
    """Run an interpreter without torch, as the experiment's own is."""
    return subprocess.run(
        [sys.executable, *arguments],
        env={**os.environ, "PYTHONPATH": str(ROOT / "workflow"), **environment},
        capture_output=True,
        text=True,
        timeout=120,
    )


def test_shapes_are_squares_and_projections_once_each():
    found = gemm.shapes(CARDS, Gemm(squares=[64], models=["llama-2-70b"], rows=16))
    assert found == [
        (64, 64, 64),
        (16, 8192, 8192),
        (16, 1024, 8192),
        (16, 28672, 8192),
        (16, 8192, 28672),
    ]


def test_a_model_of_another_kind_is_named():
    with pytest.raises(ValueError, match="card 'japanese-gpt-1b': hidden_size is None"):
        gemm.shapes(CARDS, Gemm(models=["japanese-gpt-1b"]))


def test_rocm_crosses_library_and_tuning():
    found = gemm.arms("rocm")
    crossed = {
        (arm["TORCH_BLAS_PREFER_HIPBLASLT"], arm["PYTORCH_TUNABLEOP_ENABLED"])
        for arm in found.values()
    }
    assert crossed == {("0", "0"), ("0", "1"), ("1", "0"), ("1", "1")} and len(found) == 4
    tuned = found["hipblaslt-tuned"]
    assert tuned["PYTORCH_TUNABLEOP_ROCBLAS_ENABLED"] == "0"
    assert tuned["PYTORCH_TUNABLEOP_HIPBLASLT_ENABLED"] == "1"


OBSERVE = """
import json
from pathlib import Path
from kensho.bench import gemm
from kensho.bench.run import Run, as_settings
dtypes = ["float16", "bfloat16", "float8"]
settings = as_settings({"dtypes": dtypes, "blocks": 2, "min_seconds": 0.001})
frame, device = gemm.observe("none", [(32, 48, 64)], [], settings, Run(Path(), seed=1))
print(json.dumps({"rows": frame.to_dict("records"), "device": device}))
"""


@pytest.fixture(scope="module")
def tried():
    done = python("-c", OBSERVE)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_each_cell_is_a_block_and_each_process_a_replicate(tried):
    cells = [row for row in tried["rows"] if row["metric"] == "gemm_seconds"]
    assert {(row["block"], row["replicate"]) for row in cells} == {
        (f"m32-n48-k64-{dtype}", process) for dtype in ("float16", "bfloat16") for process in (0, 1)
    }
    assert {row["arm"] for row in tried["rows"]} == {"default"}
    assert tried["device"] == {"name": "cpu", "compute_units": 0, "card": None}


def test_tflops_follow_from_shape_and_seconds(tried):
    found = {(r["block"], r["replicate"], r["metric"]): r["value"] for r in tried["rows"]}
    for (block, replicate, metric), value in found.items():
        if metric == "tflops":
            seconds = found[block, replicate, "gemm_seconds"]
            assert value * seconds == pytest.approx(2 * 32 * 48 * 64 / 1e12)
    assert not any(metric == "share_of_peak" for _, _, metric in found)


def test_the_peak_is_shared_by_precision_where_a_card_knows_it():
    timed = [
        {"shape": (1000, 1000, 1000), "dtype": dtype, "seconds": 1e-5, "warmup": 1.0}
        for dtype in ("bfloat16", "float8")
    ]
    result = {"timed": timed, "arm": "hipblaslt", "block": 0, "position": 1}
    rows = {row.metric: row.value for row in gemm._rows(result, HARDWARE["mi300x"])}
    assert rows["share_of_peak"] == pytest.approx(200 / 1307.4)
    assert rows["float8_share_of_peak"] == pytest.approx(200 / 2614.9)


@pytest.mark.parametrize(("arm", "outside"), [("cublas", "1"), ("cublaslt", "0")])
def test_an_arm_reaches_torch_whatever_the_environment_was(arm, outside):
    code = (
        "from pathlib import Path\n"
        "from kensho.bench import gemm\n"
        "from kensho.bench.run import Run\n"
        f"variables = gemm.arms('cuda')[{arm!r}]\n"
        "print(gemm.run_arm(variables, [], 'none', 0.1, Run(Path()))['library'])"
    )
    done = python("-c", code, TORCH_BLAS_PREFER_CUBLASLT=outside, TORCH_BLAS_PREFER_HIPBLASLT="1")
    assert done.stdout.strip() == arm, done.stderr


def test_an_environment_set_too_late_is_refused():
    with pytest.raises(RuntimeError, match="torch was loaded before"):
        gemm.run_arm({}, [], "none", 0.1, Run(Path()))


def test_a_wrong_product_is_refused(monkeypatch):
    right = torch.mm
    monkeypatch.setattr(torch, "mm", lambda a, b: right(a, b) * 1.05)
    with pytest.raises(ValueError, match=r"8 x 8 x 8, torch.float16: relative error 0\.0[45]"):
        gemm._checked_product(torch, (8, 8, 8), torch.float16, "cpu")


def test_only_an_mi300x_is_at_scope():
    for name, card, expected in [
        ("AMD Instinct MI300X", "mi300x", "at-scope"),
        ("AMD Instinct MI250X", "mi250x", "reference"),
        ("NVIDIA H200", "h200-sxm", "reference"),
        ("AMD Instinct MI300X", None, "reference"),  # a partition of one
    ]:
        device = {"name": name, "compute_units": 1, "card": card}
        made = gemm.conditions("rocm", device, Gemm(), Run(Path()))
        found = tier(made, hardware="AMD MI300X with ROCm", accelerators=[name])
        assert found == expected


def test_by_hand_without_an_accelerator_it_says_why_in_one_line(tmp_path):
    if torch.cuda.is_available():
        pytest.skip("an accelerator is here")
    done = python("-m", "kensho.bench", "gemm", "--output", str(tmp_path))
    assert done.returncode == 1 and done.stderr.strip() == gemm.NOT_HERE
