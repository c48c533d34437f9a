"""`vllm serve` as a process of its own on the loopback interface, until it is closed.

It is vLLM's own server, as users start it (:mod:`kensho.models.vllm_program`), with options of
vLLM's own.
"""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Self

import psutil
import requests

from kensho.messages import plain
from kensho.models import vllm_program
from kensho.models.loading import device
from kensho.models.vllm import Refused, environment

NAME = "served"  # the model, as requests name it
STARTED = 1800  # seconds at most until a model is loaded
ENDED = 30  # seconds that a server gets to end by itself
# An exception's own line, behind what names process and place, and of several faults the first.
# What says that another process failed names no cause.
CAUSE = re.compile(
    r"^(?:\(.*?\) )?(?:ERROR .*?\] )?([\w.]*(?:Error|Exception): "
    r"(?!Engine core initialization failed).+?(?:validation errors? for .+\n.*|$))",
    re.M,
)
SAMPLE = re.compile(r"^(\w+:\w+)(?:\{(.*)\})? (\S+)$", re.M)  # of Prometheus' text format


class Server:
    """A server of the model of a folder; a context manager.

    Raises Refused with vLLM's own cause where it ends before it serves.
    """

    def __init__(
        self,
        python: Path | str,
        model: Path,
        dtype: str,
        options: Sequence[str] = (),
        *,
        threads: int,
        devices: int = 1,
    ) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        self._http = requests.Session()
        self._http.trust_env = False  # no proxy stands between
        arguments = [
            *("serve", str(model.absolute()), "--served-model-name", NAME),
            *("--host", "127.0.0.1", "--port", str(port), "--dtype", dtype, "--seed", "0"),
            *("--max-model-len=-1", "--generation-config", "vllm"),
            *("--tensor-parallel-size", str(devices), "--disable-uvicorn-access-log"),
            *(["--enforce-eager"] if device() == "cpu" else []),
            *options,
        ]
        self._log = tempfile.NamedTemporaryFile("w+b")  # noqa: SIM115
        self._process = subprocess.Popen(
            [str(python), "-P", vllm_program.__file__, *arguments],
            stdout=self._log,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            # whoever may empty the cache of beginnings is a developer; the engine is a process more
            env=environment(threads)
            | {"VLLM_SERVER_DEV_MODE": "1", "VLLM_ENABLE_V1_MULTIPROCESSING": "1"},
        )
        began = time.perf_counter()
        try:
            while not self._healthy():
                if self._process.poll() is not None:
                    raise Refused(f"vLLM: {self.cause()}")
                if time.perf_counter() - began > STARTED:
                    raise Refused(f"vLLM: serves nothing after {STARTED} s")
                time.sleep(0.25)
            self.start_seconds = time.perf_counter() - began
            [listed] = self._http.get(f"{self.url}/v1/models", timeout=60).json()["data"]
            self.context = int(listed["max_model_len"])
        except BaseException:
            self.close()
            raise

    def _healthy(self) -> bool:
        with suppress(requests.RequestException):
            return self._http.get(f"{self.url}/health", timeout=10).status_code == 200
        return False

    @property
    def gone(self) -> str | None:
        """Why the server has ended, None while it serves."""
        return None if self._process.poll() is None else f"vLLM: {self.cause()}"

    def forget(self) -> None:
        """Empty the cache of beginnings. Raises ValueError where a living server does not."""
        try:
            done = self._http.post(f"{self.url}/reset_prefix_cache", timeout=60)
            done.raise_for_status()
        except requests.RequestException as error:
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(ENDED)
            if self.gone is None:
                name = type(error).__name__
                raise ValueError(f"vLLM: its cache is not emptied ({name})") from None

    def metrics(self) -> tuple[dict[str, float], dict[str, str]]:
        """Sums of what the server counts, and what it says of its cache (`vllm:cache_config_info`).

        Names are vLLM's own, without their beginning `vllm:`; nothing of a server that is gone.
        """
        text = ""
        with suppress(requests.RequestException):
            text = self._http.get(f"{self.url}/metrics", timeout=60).text
        counts: dict[str, float] = {}
        for name, _, value in SAMPLE.findall(text):
            name = name.removeprefix("vllm:")
            counts[name] = counts.get(name, 0.0) + float(value)
        cache = re.search(r"^vllm:cache_config_info\{(.*)\}", text, re.M)
        return counts, dict(re.findall(r'(\w+)="([^"]*)"', cache[1] if cache else ""))

    def peak_bytes(self) -> int:
        """Resident memory of the server's processes at most until now, summed.

        What they share counts once for each.
        """
        top, peak = psutil.Process(self._process.pid), 0
        for one in [top, *top.children(recursive=True)]:
            with suppress(FileNotFoundError):  # it has ended meanwhile
                status = Path(f"/proc/{one.pid}/status").read_text(encoding="utf-8")
                peak += sum(int(size) * 1024 for size in re.findall(r"VmHWM:\s+(\d+) kB", status))
        return peak

    def cause(self) -> str:
        """The first exception that the server wrote of, else how it ended."""
        text = plain(Path(self._log.name).read_text(encoding="utf-8", errors="replace"))
        if match := CAUSE.search(text):
            return " ".join(match[1].split())
        last = (text.strip() or "without a word").splitlines()[-1]
        return f"ended with exit code {self._process.poll()} ({last})"

    def close(self) -> None:
        """End all of its processes."""
        for sign, seconds in ((signal.SIGTERM, ENDED), (signal.SIGKILL, None)):
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, sign)
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(seconds)
        self._log.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
