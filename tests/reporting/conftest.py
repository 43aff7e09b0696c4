"""Pages made of known numbers, and a real browser to open them in."""

from __future__ import annotations

import json
import shutil
import time
from pathlib import Path

import numpy as np
import pytest

from tsad_keras.config import Config
from tsad_keras.evaluation import labels_to_events
from tsad_keras.reporting.alarms import describe_alarms, group_alarms, largest_alarms
from tsad_keras.reporting.page import run_page
from tsad_keras.reporting.scored_series import ScoredSeries
from tsad_keras.reporting.tables import COLUMNS

HOSTILE = (
    "</script><script>document.title='broken'</script>",
    "<b>bold</b>",
    "<img src=x onerror=\"document.title='broken'\">",
    "{{data}} \\u003c ' \" & \u2028 `x` **y**",
    "plain",
)


def _series(num_rows=600, num_features=5, names=HOSTILE, events=((100, 130), (400, 440)), **given):
    rng = np.random.default_rng(0)
    values = rng.normal(10, 1, (num_rows, num_features))
    contributions = rng.uniform(0, 0.1, (num_rows, num_features))
    predictions = np.zeros(num_rows, np.int8)
    for index, (start, end) in enumerate(events):
        contributions[start:end, index % num_features] += 2 + index
        values[start:end, index % num_features] += 50
        predictions[start:end] = 1
    labels = np.zeros(num_rows, np.int8)
    for start, end in events[:1]:
        labels[start:end] = 1
    given = {"labels": labels, **given}
    return ScoredSeries(
        values=values,
        feature_names=tuple(names[:num_features]),
        train_mean=np.full(num_features, 10.0),
        contributions=contributions,
        scores=contributions.sum(axis=1),
        predictions=predictions,
        **given,
    )


def _row(name, value, is_labelled, **changes):
    metrics = {column.key: value for column in COLUMNS} if is_labelled else {}
    row = {"method": name, "is_detector": False, "is_floor": False, "metrics": metrics}
    row |= {"threshold": 1.0, "alarm_rate": 0.1, "expected_false_alarm_rate": 0.005}
    row |= {"false_alarm_rate": 0.01 if is_labelled else None}
    return {**row, "fit_seconds": None, "score_seconds": 0.5, **changes}


def _summary(series, most_alarms=2000):
    alarms = describe_alarms(series)
    groups = group_alarms(alarms, 50)
    labelled = series.labels is not None
    return {
        "kind": "run",
        "dataset": {
            "name": "<i>name</i>",
            "entity": "a&b",
            "num_train": None,
            "num_test": series.num_timesteps,
            "num_features": len(series.feature_names),
            "missing_test": 0.0,
            "test_starts": None,
            "test_ends": None,
            "has_labels": labelled,
            "anomaly_ratio": 0.05 if labelled else None,
            "num_events": len(labels_to_events(series.labels)) if labelled else None,
            "median_event_length": 30.0 if labelled else None,
            "is_stand_in": False,
            "notes": ["a note with <script>document.title='broken'</script>"],
        },
        "methods": [
            _row("Random", 0.1, labelled, is_floor=True),
            _row("PCA error", 0.6, labelled),
            _row("Contrastive-GAN detector", 0.8, labelled, is_detector=True),
        ],
        "threshold": {
            "value": 1.0,
            "in_effect": 1.0,
            "reached_rate": 0.01,
            "max_alarm_rate": 0.1,
            "method": "pot",
            "expected_false_alarm_rate": 0.005,
        },
        "drift": {"mean_shift": 0.1, "worst_features": []},
        "warnings": [],
        "num_alarms": len(alarms),
        "alarms": largest_alarms(alarms, most_alarms),
        "num_alarm_groups": len(groups),
        "alarm_groups": largest_alarms(groups, most_alarms),
        "num_epochs": 3,
        "best_epoch": 2,
        "versions": {"tsad_keras": "0.1.0"},
        "config": Config(epochs=3).to_dict(),
    }


def _mean_summary(series):
    single = _summary(series)
    run = {"entity": "<b>", "seed": 3, "folder": "a b", "detector_f1_score": 0.5}
    run["vus_pr_score"] = {"PCA error": 0.6, "Contrastive-GAN detector": 0.8}
    return {
        **single,
        "kind": "mean",
        "dataset": {**single["dataset"], "entities": ["x", "y"]},
        "seeds": [3],
        "runs": [run],
    }


def _history(num_epochs=3):
    keys = ("reconstruction_loss", "contrastive_loss", "adversarial_loss", "discriminator_loss")
    return [
        {"epoch": epoch, "val_reconstruction_loss": 1 / epoch, **dict.fromkeys(keys, 2 / epoch)}
        for epoch in range(1, num_epochs + 1)
    ]


@pytest.fixture(scope="session")
def make_series():
    """Function: a scored series with alarms at `events`, the first of them true."""
    return _series


@pytest.fixture(scope="session")
def make_summary():
    """Function: the summary that belongs to a scored series."""
    return _summary


@pytest.fixture(scope="session")
def make_mean_summary():
    """Function: a summary over several runs."""
    return _mean_summary


@pytest.fixture(scope="session")
def make_page():
    """Function: the page of a scored series."""
    return lambda series, **options: run_page(_summary(series, **options), series, _history())


class Browser:
    """A headless Chromium with what the tests ask of it."""

    def __init__(self, driver, folder: Path) -> None:
        self.driver, self.folder = driver, folder

    def open(self, page: str) -> None:
        """Opens a page from a file and waits until it says that all is drawn."""
        self.logs()  # of pages before
        path = self.folder / "page.html"
        path.write_text(page, encoding="utf-8")
        self.driver.get(path.as_uri())
        failures = [entry for entry in self.driver.get_log("browser") if entry["level"] == "SEVERE"]
        assert failures == []
        if 'id="data"' in page:
            state = "document.body.dataset.ready || document.getElementById('failure').textContent"
            assert self.wait(f"return {state}") == "true"

    def run(self, script: str, *arguments):
        return self.driver.execute_script(script, *arguments)

    def wait(self, script: str, seconds: float = 120):
        """Waits until a script returns something true, and returns it."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            if found := self.run(script):
                return found
            time.sleep(0.02)
        raise AssertionError(f"never true: {script}; console: {self.driver.get_log('browser')}")

    def find(self, selector: str):
        return self.driver.find_elements("css selector", selector)

    def click(self, selector: str, index: int = 0) -> None:
        self.find(selector)[index].click()

    def view(self) -> tuple[int, int]:
        """First and last row (exclusive) that the chart shows, once it has drawn all it knows."""
        self.driver.execute_async_script(
            "const done = arguments[0]; requestAnimationFrame(() => requestAnimationFrame(done))"
        )
        return tuple(
            int(self.run(f"return document.getElementById('stack').dataset.{name}"))
            for name in ("start", "end")
        )

    def logs(self) -> tuple[list, list]:
        """What the console said, and what addresses pages asked for, since the last call."""
        console = self.driver.get_log("browser")
        messages = [json.loads(m["message"])["message"] for m in self.driver.get_log("performance")]
        requests = [
            message["params"]["request"]["url"]
            for message in messages
            if message["method"] == "Network.requestWillBeSent"
            and message["params"]["documentURL"].startswith("file:")  # not the browser's own pages
        ]
        return console, requests


@pytest.fixture(scope="session")
def browser(tmp_path_factory):
    """A real headless Chromium; tests that ask for it are skipped where there is none."""
    webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed")
    chromium = shutil.which("chromium")
    driver_path = shutil.which("chromedriver")
    if not chromium or not driver_path:
        pytest.skip("no chromium and chromedriver (Debian: apt install chromium chromium-driver)")
    folder = tmp_path_factory.mktemp("browser")
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for word in (
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--disable-dev-shm-usage",
        "--force-prefers-reduced-motion",
        "--window-size=1280,1000",
        f"--user-data-dir={folder / 'profile'}",
    ):
        options.add_argument(word)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    service = webdriver.ChromeService(driver_path)
    driver = webdriver.Chrome(options=options, service=service)
    driver.set_script_timeout(120)  # a machine may be busy with other tests
    yield Browser(driver, folder)
    driver.quit()
