"""The plan of a fleet: arithmetic by hand, and the script runs."""

import argparse
import json

import pytest

RATES = {
    "training_seconds": 36.0,
    "training_rows": 1000,
    "training_bytes": 1e9,
    "file_row_seconds": 1e-4,
    "causal_row_seconds": 1e-3,
    "stream_row_seconds": 7e-3,
    "stream_state_bytes": 20_000.0,
    "peak_bytes": 2e9,
}
FLEET = {"servers": 600, "seconds_a_row": 60.0, "price": 0.1, "load": 0.5}


@pytest.mark.parametrize(
    ("job", "expected"),
    [
        # 600 servers / 60 s = 10 rows/s; x 7 ms / 0.5 = 0.14 cores
        (
            "a stream each",
            ["10.0 rows/s x 7000 µs", "0.14, so 1", "1 x 2.00 + 0.01 GB", "= 73 USD"],
        ),
        # 600 x 525,600 rows x 0.1 ms = 8.76 hours; / 0.5 x 0.1 = 1.752
        ("back-fill", ["315,360,000 rows x 100 µs = 8.76 core hours", "1 for a day", "1.75 USD"]),
        ("a model a server", ["600 models x 36.0 s = 6.00 core hours", "= 1.20 USD"]),
        ("one model for all", ["1 model x 36.0 s = 0.01 core hours"]),
    ],
)
def test_the_arithmetic(load_script, job, expected):
    table = load_script("capacity").plan_table(RATES, argparse.Namespace(**FLEET))
    (line,) = [line for line in table.splitlines() if job in line]
    for part in expected:
        assert part in line


@pytest.mark.slow
def test_the_script_measures_and_prints(load_script, capsys):
    script = load_script("capacity")
    assert script.main(["--features", "2", "--rows", "1200", "--epochs", "1"]) == 0
    lines = capsys.readouterr().out.splitlines()
    results = json.loads(lines[-1])
    assert results["training_seconds"] > 0 and results["servers"] == 10_000
    for name in ("file", "causal", "stream"):
        assert results[f"{name}_row_seconds"] > 0
    assert sum(line.startswith("| ") for line in lines) == 15
