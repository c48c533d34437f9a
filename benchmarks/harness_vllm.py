"""lm-evaluation-harness's own class of vLLM, for benchmarks/engines.py in vLLM's environment.

The folder of a model is the argument; each line of the input is a method and the arguments of its
requests, each line of the output the answers and the most bytes that this process has held.
"""

import json
import os
import resource
import sys
from importlib import metadata
from pathlib import Path

answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
os.dup2(2, 1)  # what vLLM prints is no answer


def main() -> None:
    sys.path.append(str(Path(__file__).parents[1] / "workflow/kensho/models"))
    from vllm_program import version

    metadata.version = version  # the harness, too, asks for it by the accelerators' distribution
    from lm_eval.api.instance import Instance
    from lm_eval.models.vllm_causallms import VLLM

    model = VLLM(pretrained=sys.argv[1], dtype="float32", batch_size="auto", enforce_eager=True)
    print(json.dumps("ready"), file=answers, flush=True)
    for line in sys.stdin:
        method, asked = json.loads(line)
        requests = [Instance(method, {}, tuple(one), place) for place, one in enumerate(asked)]
        told = getattr(model, method)(requests, disable_tqdm=True)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        print(json.dumps([told, peak]), file=answers, flush=True)


if __name__ == "__main__":
    main()
