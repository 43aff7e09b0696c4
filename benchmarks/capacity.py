"""Cores, memory and cost of a fleet, from rates that are measured here first.

    python benchmarks/capacity.py                                # 10,000 servers x 50 metrics
    python benchmarks/capacity.py --servers 300 --features 20 --seconds-a-row 10 --price 0.05

Measured on one thread, in process CPU time, so that other work on the machine does not count: one
training at the default settings, scoring of files with the export of that model (`score_file`,
reading and writing included), scoring of causal windows in batches, and streams row by row. What
follows is multiplication, and each line prints its own. The price of a core hour and the load that
a core may have are assumptions, given as flags. The last line is one JSON object.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

YEAR_SECONDS = 365 * 24 * 3600


def main(arguments: Sequence[str] | None = None) -> int:
    """Measures, multiplies, prints."""
    parser = argparse.ArgumentParser(description="plan a fleet from measured rates")
    parser.add_argument("--servers", type=int, default=10_000)
    parser.add_argument("--features", type=int, default=50, help="metrics a server")
    parser.add_argument("--seconds-a-row", type=float, default=60.0)
    parser.add_argument("--price", type=float, default=0.04, help="USD a core hour (assumed)")
    parser.add_argument("--load", type=float, default=0.7, help="share of a core to plan with")
    parser.add_argument("--rows", type=int, default=10_080, help="of a training: a week of minutes")
    parser.add_argument("--epochs", type=int, help="fewer, to try the script")
    parsed = parser.parse_args(arguments)
    rates = measure(parsed.features, parsed.rows, parsed.epochs)
    print(rates_table(rates))
    print()
    print(plan_table(rates, parsed))
    print(json.dumps({**rates, **vars(parsed)}))
    return 0


def measure(num_features: int, num_rows: int, epochs: int | None) -> dict[str, float]:
    """CPU seconds of a training and of a row, in each way of scoring; bytes of memory.

    Args:
        num_features: Of each series.
        num_rows: Of the training, and of the file that is scored.
        epochs: At most; None = the default.

    Returns:
        Rates by name.
    """
    from tsad_keras import (
        ContrastiveGANDetector,
        StreamingDetector,
        export_saved_model,
        load_export,
    )
    from tsad_keras.inference.score_files import score_file
    from tsad_keras.thresholds import REMEMBERED_SCORES

    rows = made_up(num_rows, num_features)
    settings = {} if epochs is None else {"epochs": epochs}
    detector = ContrastiveGANDetector(**settings)
    rates: dict[str, float] = {"training_seconds": cpu(lambda: detector.fit(rows, verbose=False))}
    rates["training_rows"] = num_rows
    rates["training_bytes"] = peak_bytes()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        model = load_export(export_saved_model(detector, folder / "export"))
        frame = pd.DataFrame(rows, columns=list(model.feature_names_))
        frame.to_parquet(folder / "rows.parquet")

        def file() -> object:
            return score_file(model, folder / "rows.parquet", folder / "scores.csv")

        file()  # the first call traces
        rates["file_row_seconds"] = cpu(file) / num_rows
        few = rows[: min(num_rows, 2000)]
        model.decision_function(few, causal=True)
        seconds = cpu(lambda: model.decision_function(few, causal=True))
        rates["causal_row_seconds"] = seconds / len(few)
        stream = StreamingDetector(model)
        stream.update(few[:100])
        rest = few[100:600]
        rates["stream_row_seconds"] = cpu(
            lambda: [stream.update(rest[i : i + 1]) for i in range(len(rest))]
        ) / len(rest)
        stream.save_state(folder / "state.npz")
        missing = max(0, REMEMBERED_SCORES - stream.counts["scored"])  # 4 bytes each, later on
        rates["stream_state_bytes"] = (folder / "state.npz").stat().st_size + 4 * missing
    rates["peak_bytes"] = peak_bytes()
    return rates


def made_up(num_rows: int, num_features: int) -> np.ndarray:
    """Waves with noise; speed does not depend on what they look like."""
    random = np.random.default_rng(0)
    phases = random.uniform(0, 6, num_features)
    waves = np.sin(np.arange(num_rows)[:, None] / 50 + phases)
    return waves + random.normal(0, 0.2, (num_rows, num_features))


def cpu(work: Callable[[], Any]) -> float:
    """CPU seconds that this process spends on some work."""
    began = time.process_time()
    work()
    return time.process_time() - began


def peak_bytes() -> int:
    """Largest resident memory of this process so far."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def rates_table(rates: dict[str, float]) -> str:
    """What was measured, as Markdown."""
    lines = ["| measured on one core | |", "|---|--:|"]
    training = f"one training on {rates['training_rows']:.0f} rows"
    lines.append(f"| {training} | {rates['training_seconds']:.1f} s CPU |")
    for name, text in (
        ("file", "scoring of a Parquet file, a row"),
        ("causal", "causal score, windows in batches, a row"),
        ("stream", "stream, row by row, a row"),
    ):
        seconds = rates[f"{name}_row_seconds"]
        lines.append(f"| {text} | {seconds * 1e6:.0f} µs = {1 / seconds:,.0f} rows/s |")
    state, training, whole = (
        rates[f"{name}_bytes"] for name in ("stream_state", "training", "peak")
    )
    lines.append(f"| state of one stream | {state / 1e3:.0f} kB |")
    lines.append(f"| peak memory of the process after the training | {training / 1e9:.2f} GB |")
    lines.append(f"| peak memory of the process at its end | {whole / 1e9:.2f} GB |")
    return "\n".join(lines)


def plan_table(rates: dict[str, float], fleet: argparse.Namespace) -> str:
    """The fleet's cores, memory and cost with their arithmetic, as Markdown."""
    a_second = fleet.servers / fleet.seconds_a_row
    a_year = fleet.servers * YEAR_SECONDS / fleet.seconds_a_row
    gigabytes = rates["peak_bytes"] / 1e9
    states = fleet.servers * rates["stream_state_bytes"] / 1e9
    lines = ["| job | arithmetic | cores | memory | cost |", "|---|---|--:|--:|--:|"]
    for text, name, more in (
        ("live, a stream each", "stream", states),
        ("live, causal, servers batched", "causal", states),
        ("live, centred, a window later", "file", states),
    ):
        seconds = rates[f"{name}_row_seconds"]
        cores = a_second * seconds / fleet.load
        whole = max(1, int(np.ceil(cores)))
        lines.append(
            f"| {text} | {a_second:,.1f} rows/s x {seconds * 1e6:.0f} µs / {fleet.load:g} load | "
            f"{cores:.2f}, so {whole} | {whole} x {gigabytes:.2f} + {more:.2f} GB | "
            f"{whole} x 730 h x {fleet.price:g} = {whole * 730 * fleet.price:,.0f} USD a month |"
        )
    jobs = (
        ("back-fill of a year", a_year, "rows", rates["file_row_seconds"]),
        ("training, a model a server", fleet.servers, "models", rates["training_seconds"]),
        ("training, one model for all", 1, "model", rates["training_seconds"]),
    )
    for text, count, unit, seconds in jobs:
        hours = count * seconds / 3600
        a_unit = f"{seconds * 1e6:.0f} µs" if seconds < 0.1 else f"{seconds:.1f} s"
        day = max(1, int(np.ceil(hours / 24 / fleet.load)))
        lines.append(
            f"| {text} | {count:,.0f} {unit} x {a_unit} = {hours:,.2f} core hours | "
            f"{day} for a day | {day} x {gigabytes:.2f} GB | "
            f"{hours:,.2f} / {fleet.load:g} x {fleet.price:g} = "
            f"{hours / fleet.load * fleet.price:,.2f} USD |"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    for _name in ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS"):
        os.environ[_name] = "1"  # before TensorFlow starts: rates of one core
    raise SystemExit(main())
