"""What the re-calibration of the stream's threshold does on SMD machines.

    python benchmarks/recalibration.py --data-dir data
        [--entities machine-1-6 ...] [--spans 0 200 1000 5000] [--seeds 3]

Trains the default detector on each machine, streams its test part (causal scores) with each span
(0 = off, the threshold of training stays), and prints, as means over machines and seeds, the share
of normal rows that are alarms (expected: `false_alarm_rate`), recall, precision and F1 of the
alarmed rows, and by machine the false-alarm rates. Labels only judge. The last line is one JSON
object with all of it.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from typing import Any

import numpy as np

from tsad_keras import ContrastiveGANDetector, StreamingDetector, load_dataset
from tsad_keras.errors import InputError
from tsad_keras.evaluation import f1_score, precision_score, recall_score

ENTITIES = ("machine-1-6", "machine-1-7", "machine-2-1", "machine-2-2")
SPANS = (0, 200, 1000, 5000)
COLUMNS = ("false_alarm_rate", "recall", "precision", "f1_score")


def main(arguments: Sequence[str] | None = None) -> int:
    """Prints the table; returns the exit code, 2 for bad input."""
    parser = argparse.ArgumentParser(description="re-calibration of the threshold on SMD")
    parser.add_argument("--data-dir", default="data")
    parser.add_argument("--entities", nargs="+", default=ENTITIES)
    parser.add_argument("--spans", nargs="+", type=int, default=SPANS)
    parser.add_argument("--seeds", type=int, default=3)
    parsed = parser.parse_args(arguments)
    try:
        rows = measure(parsed.data_dir, parsed.entities, parsed.spans, parsed.seeds)
    except InputError as error:
        print(f"{parser.prog}: error: {error}", file=sys.stderr)
        return 2
    print_table(rows, parsed.entities, parsed.spans)
    print(json.dumps({"rows": rows}))
    return 0


def measure(
    data_dir: str,
    entities: Sequence[str],
    spans: Sequence[int],
    seeds: int,
    **config: Any,
) -> list[dict[str, Any]]:
    """One dict for each machine, seed and span.

    Args:
        data_dir: Folder of the datasets.
        entities: Machines.
        spans: Values of `recalibration_span`.
        seeds: Models a machine, seeds 0, 1 ...
        **config: Settings of the detector other than the defaults.
    """
    rows = []
    for entity in entities:
        dataset = load_dataset("smd", entity, data_dir)
        for seed in range(seeds):
            detector = ContrastiveGANDetector(**config, seed=seed)
            detector.fit(dataset.train, verbose=False)
            for span in spans:
                stream = StreamingDetector(detector, recalibration_span=span)
                alarms = stream.update(dataset.test).alarms
                rows.append(
                    {"entity": entity, "seed": seed, "span": span}
                    | judge(dataset.test_labels, alarms)
                )
    return rows


def judge(labels: np.ndarray, alarms: np.ndarray) -> dict[str, float]:
    """The four columns for one stream's alarms."""
    return {
        "false_alarm_rate": float(alarms[labels == 0].mean()),
        "recall": recall_score(labels, alarms),
        "precision": precision_score(labels, alarms),
        "f1_score": f1_score(labels, alarms),
    }


def print_table(rows: list[dict[str, Any]], entities: Sequence[str], spans: Sequence[int]) -> None:
    """Prints means over machines and seeds, then each machine's false-alarm rates and F1."""
    print("| span | " + " | ".join(COLUMNS) + " |")
    for span in spans:
        chosen = [row for row in rows if row["span"] == span]
        means = (np.mean([row[name] for row in chosen]) for name in COLUMNS)
        print(f"| {span or 'off'} | " + " | ".join(f"{value:.3f}" for value in means) + " |")
    print("\nfalse-alarm rate / F1 by machine\n| machine | " + " | ".join(map(str, spans)) + " |")
    for entity in entities:
        cells = []
        for span in spans:
            chosen = [row for row in rows if (row["entity"], row["span"]) == (entity, span)]
            rate, score = (
                np.mean([row[name] for row in chosen]) for name in ("false_alarm_rate", "f1_score")
            )
            cells.append(f"{rate:.3f} / {score:.3f}")
        print(f"| {entity} | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    raise SystemExit(main())
