"""Points a second of every way to score, beside the bare forward passes; and the start-up.

    taskset -c 0 python benchmarks/scoring.py

One series of 24,000 rows x 38 features and a detector of the default settings, trained for one step
(speed does not depend on what was learnt). `bare forward passes` is the detector's compiled window
function over the very windows that the score needs, gathered beforehand, in the same batches. The
commands run in this process after all imports; each loads the model and compiles its graph, which
the row `but for its start` leaves out by taking off the time of a file of 200 rows. Reading and
writing are also timed alone. One thread, CPU time of the process, ratios within a round.

Start-up: each command in a fresh process, CPU seconds from the interpreter's first to its last
line. The last line is one JSON object.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import statistics
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent))
from measuring import Case, conditions, fresh_process, ratio, side_by_side, use_threads

BARE = "bare forward passes"
LIMIT_RATIO, LIMIT_SECONDS = 1.5, 1.5
FILES = ("score a CSV file", "score a Parquet file")
START, LATER = "score a file of 200 rows", ", but for its start"
JUDGED = ("decision_function", "SavedModel", *FILES, *(name + LATER for name in FILES))
SMALL_ROWS = 200

_START = """
import contextlib, io, sys, time
{imports}
code = 0
with contextlib.redirect_stdout(io.StringIO()):
    try:
        code = main({arguments!r}) if {arguments!r} else 0
    except SystemExit as exit:
        code = exit.code
assert not code, code
print(time.process_time(), "tensorflow" in sys.modules)
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description="rate of scoring, and start-up")
    parser.add_argument("--rows", type=int, default=24_000)
    parser.add_argument("--num-features", type=int, default=38)
    parser.add_argument("--rounds", type=int, default=7, help="times each case runs (%(default)s)")
    parser.add_argument("--starts", type=int, default=3, help="processes a command (%(default)s)")
    parsed = parser.parse_args(arguments)
    use_threads(1)
    result: dict[str, Any] = {"benchmark": "scoring", **conditions(), "rows": parsed.rows}
    with tempfile.TemporaryDirectory() as folder:
        cases = make_cases(Path(folder), parsed.rows, parsed.num_features)
        with contextlib.redirect_stdout(io.StringIO()):  # the commands say what they did
            seconds = side_by_side(cases, rounds=parsed.rounds, calls=1)
        for name in FILES:  # what each further row costs
            pairs = zip(seconds[name], seconds[START], strict=True)
            seconds[name + LATER] = [whole - start for whole, start in pairs]
        result["scoring"] = _table(seconds, parsed.rows)
        if parsed.starts:
            result["startup"] = startup(Path(folder), parsed.starts)
    print(json.dumps(result))
    return 0


def make_cases(folder: Path, num_rows: int, num_features: int) -> dict[str, Case]:
    """All ways to score one series; files are written into the folder."""
    from tsad_keras import ContrastiveGANDetector, export_saved_model, load_export

    random = np.random.default_rng(0)
    names = [f"f{index}" for index in range(num_features)]
    values = random.normal(size=(num_rows, num_features)).astype(np.float32)
    series = values.astype(np.float64)
    detector = ContrastiveGANDetector(epochs=1, steps_per_epoch=1)
    detector.fit(series, feature_names=names, verbose=False).save(folder / "model")
    export_saved_model(detector, folder / "export")
    export = load_export(folder / "export")
    graph = export.signature("score_series")
    batches = needed_windows(detector, series)
    return {
        BARE: lambda: [detector.window_outputs(windows) for windows in batches],
        "decision_function": lambda: detector.decision_function(series),
        "SavedModel": lambda: export.decision_function(series),
        "SavedModel, its graph": lambda: graph(series=_tensor(values))["anomaly_score"].numpy(),
        **_file_cases(folder, values, names),
    }


def needed_windows(detector: Any, series: np.ndarray) -> list[np.ndarray]:
    """The batches of windows that the scores of a series need, the last one filled up."""
    from tsad_keras.windows import gather_windows, window_starts

    config = detector.config
    prepared = detector.prepare_rows(series)
    starts = window_starts(len(series), config.window_size, config.score_stride)
    size = config.score_batch_size
    return [
        gather_windows(prepared, np.resize(starts[first : first + size], size), config.window_size)
        for first in range(0, len(starts), size)
    ]


def _file_cases(folder: Path, values: np.ndarray, names: list[str]) -> dict[str, Case]:
    import pandas as pd

    frame = pd.DataFrame(values, columns=names)
    frame.to_csv(folder / "rows.csv", index=False)
    frame.to_parquet(folder / "rows.parquet", index=False)
    frame[:SMALL_ROWS].to_csv(folder / "small.csv", index=False)
    pd.DataFrame({"label": np.arange(SMALL_ROWS) % 50 < 5}).astype(int).to_csv(
        folder / "labels.csv", index=False
    )
    _score(folder, "small.csv", "small_scores.csv")

    from tsad_keras.datasets.tables import iterate_table
    from tsad_keras.inference.score_files import write_rows

    def read(name: str) -> int:
        tables = iterate_table(folder / name, chunk_size=10_000, feature_names=names)
        return sum(table.num_timesteps for table in tables)

    times, scores, alarms = np.arange(len(values)), values[:, 0].astype(float), values[:, 0] > 2
    return {
        "score a CSV file": lambda: _score(folder, "rows.csv"),
        "score a Parquet file": lambda: _score(folder, "rows.parquet"),
        START: lambda: _score(folder, "small.csv", "small_scores.csv"),
        "reading the CSV file": lambda: read("rows.csv"),
        "reading the Parquet file": lambda: read("rows.parquet"),
        "writing the scores": lambda: write_rows(io.StringIO(), times, scores, alarms),
    }


def _score(folder: Path, name: str, output: str = "scores.csv") -> None:
    """The command `score`, model loading and writing included."""
    from tsad_keras.cli import main as run

    files = ["--model-dir", folder / "model", "--input", folder / name, "--output", folder / output]
    if run(["score", "--quiet", *map(str, files)]):
        raise RuntimeError(f"score {name} failed")


def _tensor(values: np.ndarray) -> Any:
    import tensorflow as tf

    return tf.constant(values)


def _table(seconds: dict[str, list[float]], num_rows: int) -> dict[str, dict[str, Any]]:
    found = {}
    print(f"{'case':<40} {'points / CPU s':>15} {'ms':>9} {'of the bare passes':>19}")
    for name, times in seconds.items():
        median = statistics.median(times)
        rows = SMALL_ROWS if name == START else num_rows
        row: dict[str, Any] = {
            "points_per_second": rows / median,
            "ms": 1e3 * median,
            "of_bare": ratio(times, seconds[BARE]),
        }
        verdict = ""
        if name in JUDGED:
            row["met"] = row["of_bare"] <= LIMIT_RATIO
            verdict = f"  limit {LIMIT_RATIO}: {'met' if row['met'] else 'MISSED'}"
        found[name] = row
        print(f"{name:<40} {rows / median:>15,.0f} {row['ms']:>9.1f} {row['of_bare']:>19.2f}")
        if verdict:
            print(verdict)
    return found


def startup(folder: Path, repeats: int) -> dict[str, dict[str, Any]]:
    """CPU seconds of whole processes; the folder is that of `make_cases`."""
    score = ["--model-dir", folder / "model", "--input", folder / "small.csv"]
    score = ["score", "--quiet", *map(str, score), "--output", str(folder / "new.csv")]
    evaluate = ["evaluate", "--scores", str(folder / "small_scores.csv")]
    evaluate += ["--labels", str(folder / "labels.csv")]
    command = "from tsad_keras.cli import main"
    starts = {
        "--help": (command, ["--help"]),
        "evaluate": (command, evaluate),
        "import tensorflow": ("import tensorflow", []),
        "import tensorflow, keras": ("import tensorflow, keras", []),
        "score 200 rows": (command, score),
    }
    found: dict[str, dict[str, Any]] = {}
    print(f"\n{'fresh process':<26} {'CPU s':>7} {'loads TensorFlow':>17}")
    for name, (imports, arguments) in starts.items():
        code = _START.format(imports=imports, arguments=arguments)
        lines = [fresh_process(code)[0].split() for _ in range(repeats)]
        row: dict[str, Any] = {
            "cpu_seconds": statistics.median(float(line[0]) for line in lines),
            "tensorflow": lines[0][1] == "True",
        }
        if name in ("--help", "evaluate"):
            row["met"] = row["cpu_seconds"] < LIMIT_SECONDS and not row["tensorflow"]
        found[name] = row
        print(f"{name:<26} {row['cpu_seconds']:>7.2f} {'yes' if row['tensorflow'] else 'no':>17}")
    return found


if __name__ == "__main__":
    raise SystemExit(main())
