"""Time of one row in a stream, at the default settings.

    taskset -c 0 python benchmarks/streaming.py [--num-features 38] [--rows 2000]

Streams generated rows one by one, and then in updates of 64, through a detector and through its
export, both causal, and prints milliseconds a row. Speed does not depend on what was learnt, so the
detector is trained for one step only. The last line is one JSON object.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from collections.abc import Sequence

import numpy as np

from tsad_keras import ContrastiveGANDetector, StreamingDetector, export_saved_model, load_export

WARM_UP = 50  # rows


def main(arguments: Sequence[str] | None = None) -> int:
    """Prints the table."""
    parser = argparse.ArgumentParser(description="time of a row in a stream")
    parser.add_argument("--num-features", type=int, default=38)
    parser.add_argument("--rows", type=int, default=2000)
    parsed = parser.parse_args(arguments)
    rows = np.random.default_rng(0).normal(size=(parsed.rows + WARM_UP, parsed.num_features))
    detector = ContrastiveGANDetector(epochs=1, steps_per_epoch=1).fit(rows, verbose=False)
    results = {"cores": len(os.sched_getaffinity(0)), "num_features": parsed.num_features}
    with tempfile.TemporaryDirectory() as folder:
        export_saved_model(detector, folder)
        for name, source in (("detector", detector), ("export", load_export(folder))):
            results[name] = {
                "row_by_row": milliseconds_a_row(source, rows, 1),
                "by_64": milliseconds_a_row(source, rows, 64),
            }
    print("| source | rows an update | median ms a row | 99th percentile |")
    for name in ("detector", "export"):
        for way, size in (("row_by_row", 1), ("by_64", 64)):
            median, high = results[name][way]
            print(f"| {name} | {size} | {median:.3f} | {high:.3f} |")
    print(json.dumps(results))
    return 0


def milliseconds_a_row(source: object, rows: np.ndarray, size: int) -> tuple[float, float]:
    """Median and 99th percentile over updates of `size` rows, the first ones left out."""
    stream = StreamingDetector(source)
    stream.update(rows[:WARM_UP])
    seconds = []
    for first in range(WARM_UP, len(rows) - size + 1, size):
        began = time.perf_counter()
        stream.update(rows[first : first + size])
        seconds.append((time.perf_counter() - began) / size)
    return float(np.median(seconds) * 1e3), float(np.percentile(seconds, 99) * 1e3)


if __name__ == "__main__":
    raise SystemExit(main())
