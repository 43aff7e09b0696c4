"""Peak memory of training against the number of windows, and of `score` against a file's length.

    taskset -c 0 python benchmarks/memory.py
    taskset -c 0 python benchmarks/memory.py --train-rows --score-rows 1000000 10000000 --folder DIR

Every figure is the peak resident memory of a process of its own, 25 features (those of PSM) unless
told otherwise. Training has one epoch of a few steps: what it costs in memory does not depend on
how long it goes on. Its base is a run on the fewest rows that give a few windows; what lies above
is given in multiples of the series itself (float64). `score` reads Parquet files of generated
float32 values in row groups, written to a temporary folder and deleted again; its rate is rows by
CPU seconds of the command after the imports. The last line is one JSON object.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent))
from measuring import conditions, fresh_process

BASE_ROWS = 1000
STRIDES = (1, 100)
ROW_GROUP = 50_000
LIMIT_MB = 1500  # of `score`, at any length

_TRAIN = """
import numpy as np
from tsad_keras import ContrastiveGANDetector
series = np.random.default_rng(0).standard_normal(({rows}, {features}))
ContrastiveGANDetector(epochs=1, steps_per_epoch={steps}, stride={stride}).fit(
    series, verbose=False)
"""
_MODEL = """
import numpy as np
from tsad_keras import ContrastiveGANDetector
series = np.random.default_rng(0).standard_normal((3000, {features})).astype(np.float32)
ContrastiveGANDetector(epochs=1, steps_per_epoch=1).fit(
    series, feature_names=[f"f{{i}}" for i in range({features})], verbose=False).save({model!r})
"""
_SCORE = """
import time
import tsad_keras.cli
import tsad_keras.detector
began, wall = time.process_time(), time.perf_counter()
arguments = ["score", "--model-dir", {model!r}, "--input", {path!r}, "--output", {output!r}]
assert tsad_keras.cli.main([*arguments, "--quiet"]) == 0
print(time.process_time() - began, time.perf_counter() - wall)
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description="peak memory of training and of score")
    parser.add_argument("--num-features", type=int, default=25)
    parser.add_argument(
        "--train-rows", type=int, nargs="*", default=[33_000, 66_000, 132_000, 264_000]
    )
    parser.add_argument("--steps", type=int, default=5, help="of the one epoch (%(default)s)")
    parser.add_argument("--score-rows", type=int, nargs="*", default=[1_000_000, 2_000_000])
    parser.add_argument("--folder", help="for the files (default: the temporary folder)")
    parser.add_argument("--threads", type=int, default=1)
    parsed = parser.parse_args(arguments)
    result: dict[str, Any] = {
        "benchmark": "memory",
        **conditions(),
        "num_features": parsed.num_features,
        "training": training(
            parsed.train_rows, parsed.num_features, steps=parsed.steps, threads=parsed.threads
        ),
        "score": scoring(
            parsed.score_rows, parsed.num_features, parsed.folder, threads=parsed.threads
        ),
    }
    print(json.dumps(result))
    return 0


def training(
    sizes: Sequence[int], num_features: int, *, steps: int = 5, threads: int = 1
) -> list[dict[str, float]]:
    """A row for each length and stride: number of windows, peak MB, multiple of the series."""
    if not sizes:
        return []

    def peak(rows: int, stride: int) -> float:
        code = _TRAIN.format(rows=rows, features=num_features, steps=steps, stride=stride)
        return fresh_process(code, threads=threads)[1]

    base = peak(BASE_ROWS, 1)
    print(f"training on {BASE_ROWS} rows: {base:,.0f} MB, the base")
    print(
        f"{'rows':>10} {'stride':>7} {'windows':>9} {'series MB':>10} {'peak MB':>9} {'times':>6}"
    )
    found = []
    for rows in sizes:
        for stride in STRIDES:
            series_mb = rows * num_features * 8 / 2**20
            row = {
                "rows": rows,
                "stride": stride,
                "windows": num_windows(rows, stride),
                "series_mb": series_mb,
                "base_mb": base,
                "peak_mb": peak(rows, stride),
            }
            row["times_the_series"] = (row["peak_mb"] - base) / series_mb
            found.append(row)
            print(
                f"{rows:>10,} {stride:>7} {row['windows']:>9,} {series_mb:>10.1f} "
                f"{row['peak_mb']:>9,.0f} {row['times_the_series']:>6.2f}",
                flush=True,
            )
    return found


def num_windows(rows: int, stride: int, window_size: int = 100) -> int:
    """Windows that training on so many rows may draw, with the default share for validation."""
    from tsad_keras.config import Config
    from tsad_keras.windows import split_train_validation, window_starts

    (train,), _ = split_train_validation(
        [np.empty((rows, 0))], window_size, Config().validation_fraction
    )
    return len(window_starts(len(train), window_size, stride))


def scoring(
    sizes: Sequence[int], num_features: int, folder: str | None, *, threads: int = 1
) -> list[dict[str, float]]:
    """A row for each length: peak MB, rows a CPU second and a second of wall time."""
    if not sizes:
        return []
    found = []
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        model = str(Path(scratch) / "model")
        fresh_process(_MODEL.format(features=num_features, model=model), threads=threads)
        print(f"\n{'rows':>12} {'file MB':>9} {'peak MB':>9} {'rows / CPU s':>13} {'rows / s':>9}")
        for rows in sizes:
            path, output = Path(scratch) / "rows.parquet", str(Path(scratch) / "scores.csv")
            write_parquet(path, rows, num_features)
            code = _SCORE.format(model=model, path=str(path), output=output)
            line, peak, _ = fresh_process(code, threads=threads)
            cpu, wall = map(float, line.split())
            row = {
                "rows": rows,
                "file_mb": path.stat().st_size / 2**20,
                "peak_mb": peak,
                "rows_per_cpu_second": rows / cpu,
                "rows_per_second": rows / wall,
            }
            found.append(row)
            print(
                f"{rows:>12,} {row['file_mb']:>9,.0f} {peak:>9,.0f} {rows / cpu:>13,.0f} "
                f"{rows / wall:>9,.0f}",
                flush=True,
            )
    return found


def write_parquet(path: Path, rows: int, num_features: int) -> None:
    """Writes standard normal float32 columns `f0 ...` in row groups."""
    import pyarrow
    import pyarrow.parquet

    random = np.random.default_rng(1)
    schema = pyarrow.schema([(f"f{index}", pyarrow.float32()) for index in range(num_features)])
    with pyarrow.parquet.ParquetWriter(path, schema, compression="none") as writer:
        for first in range(0, rows, ROW_GROUP):
            shape = (num_features, min(ROW_GROUP, rows - first))
            columns = random.standard_normal(shape, dtype=np.float32)
            arrays = [pyarrow.array(column) for column in columns]
            writer.write_table(pyarrow.Table.from_arrays(arrays, schema=schema))


if __name__ == "__main__":
    raise SystemExit(main())
