"""What causal scores cost on SMD machines, and what a threshold that moves does for streams.

    python benchmarks/streaming_quality.py --data-dir data
        [--entities machine-1-6 ...] [--spans 200 1000 5000] [--seeds 3]

Trains the default detector on each machine and prints, as means over machines and seeds:

- VUS-PR and average precision of the scores with and without what came later (`causal`);
- of the streamed test part, by each rule, the share of normal rows that are alarms (expected:
  `false_alarm_rate`), recall, precision and F1 of the alarmed rows; and by machine the false-alarm
  rates and F1. The rules: the threshold of training alone (`max_alarm_rate` 1), the default, which
  raises it while too much is an alarm, and following the level of what is judged normal, with each
  of the spans.

Labels only judge. The last line is one JSON object with all of it.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from tsad_keras import ContrastiveGANDetector, StreamingDetector, load_dataset
from tsad_keras.errors import InputError
from tsad_keras.evaluation import (
    average_precision_score,
    f1_score,
    precision_score,
    recall_score,
    vus_pr_score,
)

ENTITIES = ("machine-1-6", "machine-1-7", "machine-2-1", "machine-2-2")
SPANS = (200, 1000, 5000)
METRICS = {"vus_pr": vus_pr_score, "average_precision": average_precision_score}
COLUMNS = ("false_alarm_rate", "recall", "precision", "f1_score")


def main(arguments: Sequence[str] | None = None) -> int:
    """Prints the table; returns the exit code, 2 for bad input."""
    parser = argparse.ArgumentParser(description="causal scores and re-calibration on SMD")
    parser.add_argument("--data-dir", default="data")
    parser.add_argument("--entities", nargs="+", default=ENTITIES)
    parser.add_argument("--spans", nargs="+", type=int, default=SPANS)
    parser.add_argument("--seeds", type=int, default=3)
    parsed = parser.parse_args(arguments)
    try:
        ranked, rows = measure(parsed.data_dir, parsed.entities, parsed.spans, parsed.seeds)
    except InputError as error:
        print(f"{parser.prog}: error: {error}", file=sys.stderr)
        return 2
    print_ranked(ranked)
    print_table(rows, parsed.entities)
    print(json.dumps({"ranked": ranked, "rows": rows}))
    return 0


def measure(
    data_dir: str,
    entities: Sequence[str],
    spans: Sequence[int],
    seeds: int,
    **config: Any,
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """One dict for each machine, seed and kind of scores, and one for each machine, seed and rule.

    Args:
        data_dir: Folder of the datasets.
        entities: Machines.
        spans: Values of `recalibration_span`.
        seeds: Models a machine, seeds 0, 1 ...
        **config: Settings of the detector other than the defaults.
    """
    ranked, rows = [], []
    for entity in entities:
        dataset = load_dataset("smd", entity, data_dir)
        for seed in range(seeds):
            detector = ContrastiveGANDetector(**config, seed=seed)
            detector.fit(dataset.train, verbose=False)
            for causal in (False, True):
                scores = detector.decision_function(dataset.test, causal=causal)
                metrics = {name: METRICS[name](dataset.test_labels, scores) for name in METRICS}
                ranked.append({"entity": entity, "seed": seed, "causal": causal} | metrics)
            for rule, stream in _streams(detector, spans):
                alarms = stream.update(dataset.test).alarms
                rows.append(
                    {"entity": entity, "seed": seed, "rule": rule}
                    | judge(dataset.test_labels, alarms)
                )
    return ranked, rows


def _streams(
    detector: ContrastiveGANDetector, spans: Sequence[int]
) -> Iterator[tuple[str, StreamingDetector]]:
    """Yields a fresh stream for each rule."""
    usual = detector.config
    detector.config = dataclasses.replace(usual, max_alarm_rate=1.0)
    yield "alone", StreamingDetector(detector)
    detector.config = usual
    yield "default", StreamingDetector(detector)
    for span in spans:
        yield f"span {span}", StreamingDetector(detector, recalibration_span=span)


def judge(labels: np.ndarray, alarms: np.ndarray) -> dict[str, float]:
    """The four columns for one stream's alarms."""
    return {
        "false_alarm_rate": float(alarms[labels == 0].mean()),
        "recall": recall_score(labels, alarms),
        "precision": precision_score(labels, alarms),
        "f1_score": f1_score(labels, alarms),
    }


def print_ranked(ranked: list[dict[str, Any]]) -> None:
    """Prints means over machines, with the standard deviation over seeds."""
    print("| scores | " + " | ".join(METRICS) + " |")
    for causal in (False, True):
        cells = []
        for name in METRICS:
            by_seed: dict[int, list[float]] = {}
            for row in ranked:
                if row["causal"] == causal:
                    by_seed.setdefault(row["seed"], []).append(row[name])
            means = [np.mean(values) for values in by_seed.values()]
            cells.append(f"{np.mean(means):.3f} +- {np.std(means):.3f}")
        print(f"| {'causal' if causal else 'centred'} | " + " | ".join(cells) + " |")
    print()


def print_table(rows: list[dict[str, Any]], entities: Sequence[str]) -> None:
    """Prints means over machines and seeds, then each machine's false-alarm rates and F1."""
    rules = list(dict.fromkeys(row["rule"] for row in rows))
    print("| threshold | " + " | ".join(COLUMNS) + " |")
    for rule in rules:
        chosen = [row for row in rows if row["rule"] == rule]
        means = (np.mean([row[name] for row in chosen]) for name in COLUMNS)
        print(f"| {rule} | " + " | ".join(f"{value:.3f}" for value in means) + " |")
    print("\nfalse-alarm rate / F1 by machine\n| machine | " + " | ".join(rules) + " |")
    for entity in entities:
        cells = []
        for rule in rules:
            chosen = [row for row in rows if (row["entity"], row["rule"]) == (entity, rule)]
            rate, score = (
                np.mean([row[name] for row in chosen]) for name in ("false_alarm_rate", "f1_score")
            )
            cells.append(f"{rate:.3f} / {score:.3f}")
        print(f"| {entity} | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    raise SystemExit(main())
