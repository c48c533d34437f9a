"""Pages in headless Chromium: no console message, no request to the network."""

import json
import shutil
import subprocess
from pathlib import Path
from urllib.parse import urlsplit

import jlce_results
import past_run
import pytest
from judged_results import CLOSED, judged, summarised
from kensho.provenance import crate
from kensho.provenance import page as preview
from kensho.report import calibration, jlce
from kensho.report.page import build
from kensho.report.translation import Catalogue, translated
from test_calibration_of_the_engine import META, written

pytestmark = pytest.mark.browser
REPORT = Path(__file__).parents[2] / "results" / "validation_report.html"
LANGUAGES = Path(__file__).parents[2] / "resources" / "languages"
# Where Chromium itself asks at its start, whatever it opens.
OWN = {"accounts.google.com", "clients2.google.com", "update.googleapis.com", "www.google.com"}


def opened(page: Path, folder: Path) -> tuple[str, list[str], list[str]]:
    """The page as the browser holds it, its console messages, and what was asked of the network."""
    if (chromium := shutil.which("chromium")) is None:
        pytest.skip("chromium is not installed")
    log = folder / "net.json"
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
            f"--user-data-dir={folder / 'profile'}",
            "--enable-logging=stderr",
            f"--log-net-log={log}",
            "--dump-dom",
            page.as_uri(),
        ],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    messages = [line for line in done.stderr.splitlines() if "CONSOLE" in line]
    asked = [event["params"] for event in json.loads(log.read_text())["events"]
             if {"url", "initiator"} <= event.get("params", {}).keys()]  # fmt: skip
    outside = [
        request["url"]
        for request in asked
        if urlsplit(request["url"]).scheme not in ("file", "data", "about", "chrome")
        and not (
            request["initiator"] == "not an origin" and urlsplit(request["url"]).hostname in OWN
        )
    ]
    return done.stdout, messages, outside


def finished(folder: Path) -> str:
    if not REPORT.is_file():
        pytest.skip("no report here: `make report` first")
    return REPORT.read_text(encoding="utf-8")


def japanese(page: str) -> str:
    return translated(page, Catalogue.read(LANGUAGES.glob("ja/*.yaml")), "ja")


def report(folder: Path) -> str:
    summary = summarised(folder, judged(folder, CLOSED))
    return build(summary, {"wall_seconds": None, "rules": []})


def jlce_page(folder: Path) -> str:
    return jlce.build(**jlce_results.given(folder))


def calibration_page(folder: Path) -> str:
    return calibration.build(calibration.read(written(folder)), META)


def crate_page(folder: Path) -> str:
    past = past_run.past(past_run.written(folder))
    return preview.build(past, crate.graph(past, []))


PAGES = {
    "finished report": (finished, "R-8.quick"),
    "finished report in Japanese": (lambda folder: japanese(finished(folder)), "検証報告書"),
    "report in Japanese": (lambda folder: japanese(report(folder)), "主張5件中5件"),
    "report": (report, "what R-2 says"),
    "JLCE": (jlce_page, "tuned"),
    "calibration": (calibration_page, "beta_binomial"),
    "crate": (crate_page, "What this rests on"),
}


@pytest.mark.parametrize("name", PAGES)
def test_no_console_message_and_no_request(name, tmp_path):
    make, words = PAGES[name]
    page = tmp_path / "page.html"
    page.write_text(make(tmp_path), encoding="utf-8")
    shown, messages, outside = opened(page, tmp_path)
    assert words in shown and messages == [] and outside == []


@pytest.mark.parametrize("host", ["fonts.googleapis.com", "accounts.google.com", "example.org"])
def test_a_request_of_a_page_and_its_messages_are_seen(host, tmp_path):
    page = tmp_path / "page.html"
    page.write_text(f'<img src="https://{host}/a.png"><script>console.log("told")</script>')
    _, messages, outside = opened(page, tmp_path)
    assert f"https://{host}/a.png" in outside and any("told" in line for line in messages)
