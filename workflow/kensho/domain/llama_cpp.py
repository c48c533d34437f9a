"""Answers by llama.cpp, in the environment that `make gguf` makes, which has no more than that.

Run as a program it reads what to do from its input, and imports nothing of ours.
"""

import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Mapping
from typing import Any


def run(python: str, asked: Mapping[str, Any]) -> dict:
    """What :func:`answered` gives of `asked`, by another Python.

    Raises ValueError with the last line that it wrote where it cannot.
    """
    environment = {**os.environ, "PYTHONPATH": ""}
    done = subprocess.run(
        [python, "-I", __file__],
        input=json.dumps(asked),
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        env=environment,
    )
    if done.returncode < 0:
        raise ValueError(f"llama.cpp gives no answers (signal {-done.returncode})")
    if done.returncode:
        last = (done.stderr.strip() or "no message").splitlines()[-1]
        raise ValueError(f"llama.cpp gives no answers ({last})")
    return json.loads(done.stdout.splitlines()[-1])


def answered(
    file: str, prompts: list[list[int]], ends: list[int], most: int, threads: int
) -> dict[str, Any]:
    """Greedy answers to prompts (token ids), one at a time: tokens and seconds of each.

    An answer ends before one of ``ends`` or with ``most`` tokens. A first answer, to warm up, is
    not counted. ``peak_memory_bytes`` is all that this process had resident, ``system`` what
    llama.cpp was built for, ``without_amx`` whether its kernels for AMX were there and left out:
    on some machines they end in a segmentation fault (ggml-org/llama.cpp, issue 20824).
    """
    from llama_cpp import Llama
    from llama_cpp import llama_cpp as library

    system = library.llama_print_system_info().decode().strip()
    if without_amx := "AMX_INT8 = 1" in system:
        plain = library.llama_model_default_params()
        plain.use_extra_bufts = False
        library.llama_model_default_params = lambda: plain
    room = max(map(len, prompts)) + most
    model = Llama(
        file, n_ctx=room, n_batch=room, n_ubatch=room, n_threads=threads, n_threads_batch=threads,
        n_gpu_layers=-1, verbose=False,
    )  # fmt: skip
    tokens, seconds = [], []
    for prompt in [prompts[0], *prompts]:
        model.reset()
        answer: list[int] = []
        began = time.perf_counter()
        for token in model.generate(prompt, temp=0.0):
            if token in ends:
                break
            answer.append(token)
            if len(answer) == most:
                break
        seconds.append(time.perf_counter() - began)
        tokens.append(answer)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return {
        "tokens": tokens[1:],
        "seconds": seconds[1:],
        "peak_memory_bytes": peak,
        "system": system,
        "without_amx": without_amx,
    }


if __name__ == "__main__":
    print(json.dumps(answered(**json.load(sys.stdin))))
