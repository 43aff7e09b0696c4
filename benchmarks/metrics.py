"""Times VUS-PR and VUS-ROC on one core, beside TSB-AD's own implementation where it is installed.

    taskset -c 0 python benchmarks/metrics.py                     # 24,000 and 88,000 points
    pip install --no-deps TSB-AD                                  # for the second column, scratch
    taskset -c 0 python benchmarks/metrics.py --peer-points 24000

Labels have PSM's statistics (72 events and 27.76 % at 88,000 points), scores are uniform noise
raised within events. Printed are the median and the extremes of several runs; the last line is one
JSON object with the same figures.
"""

from __future__ import annotations

import argparse
import importlib
import json
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tsad_keras.evaluation import vus_scores

sys.path.insert(0, str(Path(__file__).resolve().parent))
from measuring import conditions
from psm_stand_in import draw_labels

MAX_WINDOW, NUM_THRESHOLDS = 100, 250


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the benchmark and prints it."""
    parser = argparse.ArgumentParser(description="time of vus_scores on one core")
    parser.add_argument("--points", type=int, nargs="+", default=[24_000, 88_000])
    parser.add_argument("--repeats", type=int, default=7, help="runs a size (%(default)s)")
    parser.add_argument(
        "--peer-points",
        type=int,
        nargs="*",
        default=[],
        help="sizes at which TSB-AD runs, once each; minutes at 88,000 (default: none)",
    )
    parsed = parser.parse_args(arguments)
    peer = _load_peer() if parsed.peer_points else None
    if parsed.peer_points and peer is None:
        print("TSB-AD cannot be imported: its column is left out", file=sys.stderr)
    rows = [
        _measure(size, parsed.repeats, peer if size in parsed.peer_points else None)
        for size in parsed.points
    ]
    _print_table(rows)
    settings = {"max_window": MAX_WINDOW, "num_thresholds": NUM_THRESHOLDS}
    print(json.dumps({"benchmark": "vus_scores", **settings, **conditions(), "rows": rows}))
    return 0


def make_case(num_points: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Returns labels and scores, both (num_points,), of which a part of the events stands out."""
    random = np.random.default_rng(seed)
    labels = draw_labels(num_points, random)
    scores = random.random(num_points) + 0.4 * labels * random.random(num_points)
    return labels, scores


def _measure(num_points: int, repeats: int, peer: Callable | None) -> dict[str, Any]:
    labels, scores = make_case(num_points)
    seconds = []
    for _ in range(repeats):
        started = time.perf_counter()
        result = vus_scores(labels, scores, MAX_WINDOW, NUM_THRESHOLDS)
        seconds.append(time.perf_counter() - started)
    row = {
        "points": num_points,
        "events": int(np.count_nonzero(np.diff(labels, prepend=0) == 1)),
        "seconds_median": statistics.median(seconds),
        "seconds_min": min(seconds),
        "seconds_max": max(seconds),
        "repeats": repeats,
        **result,
    }
    if peer is not None:
        started = time.perf_counter()
        peer_roc, peer_pr = peer(labels, scores)
        row["peer_seconds"] = time.perf_counter() - started
        row["peer_largest_difference"] = max(
            abs(peer_pr - result["vus_pr_score"]), abs(peer_roc - result["vus_roc_score"])
        )
    return row


def _load_peer() -> Callable[[np.ndarray, np.ndarray], tuple[float, float]] | None:
    """Returns TSB-AD's VUS as a function of labels and scores to (ROC, PR), if importable."""
    try:
        metrics = importlib.import_module("TSB_AD.evaluation.basic_metrics")
    except ImportError:
        return None

    def volumes(labels: np.ndarray, scores: np.ndarray) -> tuple[float, float]:
        *_, roc, precision_recall = metrics.generate_curve(
            labels.astype(int), scores, MAX_WINDOW, "opt", NUM_THRESHOLDS
        )
        return float(roc), float(precision_recall)

    return volumes


def _print_table(rows: list[dict[str, Any]]) -> None:
    print(f"{'points':>8} {'events':>7} {'median s':>9} {'min s':>8} {'max s':>8} {'TSB-AD s':>9}")
    for row in rows:
        peer = f"{row['peer_seconds']:9.1f}" if "peer_seconds" in row else f"{'-':>9}"
        print(
            f"{row['points']:>8} {row['events']:>7} {row['seconds_median']:>9.4f} "
            f"{row['seconds_min']:>8.4f} {row['seconds_max']:>8.4f} {peer}"
        )


if __name__ == "__main__":
    sys.exit(main())
