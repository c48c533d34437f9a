"""The finished report in headless Chromium: no console message, no request to the network."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

REPORT = Path(__file__).parents[2] / "results" / "validation_report.html"


@pytest.mark.browser
def test_no_console_message_and_no_request(tmp_path):
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("chromium is not installed")
    if not REPORT.is_file():
        pytest.skip("no report here: `make report` first")
    log = tmp_path / "net.json"
    done = subprocess.run(
        [
            chromium,
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            f"--user-data-dir={tmp_path / 'profile'}",
            "--enable-logging=stderr",
            f"--log-net-log={log}",
            "--dump-dom",
            REPORT.as_uri(),
        ],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0 and "R-8.quick" in done.stdout
    assert "CONSOLE" not in done.stderr
    events = json.loads(log.read_text())["events"]
    asked = {event.get("params", {}).get("url", "") for event in events}
    page = [url for url in asked if url.startswith(("http:", "https:"))]
    assert [url for url in page if "google" not in url] == []  # the browser's own start-up pings
