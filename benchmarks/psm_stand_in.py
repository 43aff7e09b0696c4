"""Writes files of PSM's format and size with generated features, to run `reproduce psm` offline.

    python benchmarks/psm_stand_in.py --data-dir DIR [--labels test_label.csv] [--seed 0]
    python -m tsad_keras reproduce psm --data-dir DIR --output OUT

`DIR/PSM/` then holds `train.csv` and `test.csv` (first column `timestamp_(min)`, 25 features, train
with empty cells), `test_label.csv` and `stand_in.json`, whose note the PSM reader puts into every
report. The label layout is that of the published `test_label.csv` if `--labels` names it; otherwise
one with the same number of events (72), share of steps (27.76 %) and median length (5) is drawn.

What it is good for: time, memory, file handling, the look of the report. What it is not good for:
any statement on how well a method does on PSM.

The normal rows are those of the synthetic dataset without its trend, min-max scaled on train.
Each labelled event acts on 10 to 50 % of the features as a spike, drop, level shift or added noise
of 0.5 to 5 noise standard deviations, so that some events are plain and some are hidden. Events of
more than 60 rows act only now and then, as long labelled incidents do.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from tsad_keras.datasets.download import git_blob_sha1, list_sources
from tsad_keras.datasets.psm import TIME_COLUMN
from tsad_keras.datasets.published import damaged, read_published_csv, to_labels
from tsad_keras.datasets.synthetic import make_synthetic
from tsad_keras.errors import InputError
from tsad_keras.evaluation.events import flags_to_events
from tsad_keras.files import atomic_write, write_json

NUM_TRAIN, NUM_TEST, NUM_FEATURES = 132_481, 87_841, 25
NUM_EVENTS, ANOMALY_RATIO, MEDIAN_LENGTH = 72, 0.2776, 5
FIRST_TEST_MINUTE = 132_480  # the published test part begins with train's last minute
MISSING_SHARE = 0.002  # of train's cells; this project's choice
AMPLITUDE = (0.5, 5.0)  # noise standard deviations
LONG_EVENT = 60  # rows


def main(arguments: Sequence[str] | None = None) -> int:
    """Writes the files; returns the exit code, 2 for bad input."""
    parser = argparse.ArgumentParser(description="files of PSM's format with generated features")
    parser.add_argument("--data-dir", required=True, help="folder in which PSM/ is written")
    parser.add_argument("--labels", help="the published test_label.csv (default: a drawn layout)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--num-train", type=int, default=NUM_TRAIN, help="rows (%(default)s)")
    parser.add_argument(
        "--num-test", type=int, default=NUM_TEST, help="rows, without --labels (%(default)s)"
    )
    parser.add_argument(
        "--keep-trend", action="store_true", help="leave the trend in: normal test rows drift away"
    )
    parsed = parser.parse_args(arguments)
    try:
        folder = write_stand_in(
            parsed.data_dir,
            parsed.labels,
            parsed.seed,
            parsed.num_train,
            parsed.num_test,
            keep_trend=parsed.keep_trend,
        )
    except InputError as error:
        print(f"psm_stand_in: error: {error}", file=sys.stderr)
        return 2
    print(f"{folder}: {', '.join(sorted(path.name for path in folder.iterdir()))}")
    return 0


def write_stand_in(
    data_dir: str | Path,
    labels_path: str | Path | None = None,
    seed: int = 0,
    num_train: int = NUM_TRAIN,
    num_test: int = NUM_TEST,
    *,
    keep_trend: bool = False,
) -> Path:
    """Writes `data_dir/PSM`; the same arguments give the same bytes.

    Args:
        data_dir: Parent folder. An older stand-in inside is replaced, anything else is refused.
        labels_path: A `test_label.csv` as published, or None to draw a layout.
        seed: Of the features, and of the layout if it is drawn.
        num_train: Training rows.
        num_test: Test rows; with `labels_path`, as many as that file has.
        keep_trend: Leave each feature's trend in, which carries test away from train.

    Returns:
        The folder.

    Raises:
        InputError: If the labels cannot be read, a number is out of range, or the folder holds
            something that is not a stand-in.
    """
    target = Path(data_dir) / "PSM"
    if target.exists() and not (target / "stand_in.json").is_file():
        raise InputError(
            f"{target} is there and is no stand-in, expected a new folder; choose another "
            "--data-dir, published files are not overwritten"
        )
    if seed < 0 or num_train < 2:
        raise InputError(
            f"seed {seed} and {num_train} training rows came, expected 0 or more and 2 or more"
        )
    random, event_random = (
        np.random.default_rng(s) for s in np.random.SeedSequence([seed, 25]).spawn(2)
    )
    times, labels = _labels(labels_path, num_test, random)
    values = _normal_rows(seed, num_train, len(labels), keep_trend)
    train, test = values[:num_train], values[num_train:]
    # Loads change slowly, so the change from row to row is nearly all noise.
    noise = np.diff(train, axis=0).std(axis=0) / np.sqrt(2)
    for start, end in flags_to_events(labels.astype(bool)):
        _inject(test[start:end], noise, event_random)
    _remove_cells(train, random)

    # Everything is written beside the target, which then appears as a whole.
    target.parent.mkdir(parents=True, exist_ok=True)
    new = Path(tempfile.mkdtemp(prefix=".PSM.", dir=target.parent))
    try:
        _write_table(new / "train.csv", np.arange(num_train), train)
        _write_table(new / "test.csv", times.astype(np.int64), test)
        _write_labels(new / "test_label.csv", labels_path, times, labels)
        origin = _label_origin(new / "test_label.csv", labels_path)
        write_json(new / "stand_in.json", {"note": _note(seed, origin, keep_trend), "seed": seed})
        new.chmod(0o755)
        if target.exists():
            shutil.rmtree(target)
        new.replace(target)
    finally:
        shutil.rmtree(new, ignore_errors=True)
    return target


def draw_labels(num_test: int, random: np.random.Generator) -> np.ndarray:
    """Draws a label layout with PSM's statistics, shape (num_test,), 0/1.

    Lengths are log-normal quantiles around the median; the longest makes up for the share. Two
    events never touch.
    """
    from scipy.stats import norm

    num_events = max(1, round(NUM_EVENTS * num_test / NUM_TEST))
    num_anomalous = round(ANOMALY_RATIO * num_test)
    quantiles = norm.ppf((np.arange(num_events) + 0.5) / num_events)
    lengths = np.maximum(np.round(MEDIAN_LENGTH * np.exp(3.2 * quantiles)), 1).astype(int)
    lengths[-1] += num_anomalous - lengths.sum()
    num_spare = num_test - num_anomalous - (num_events - 1)
    if lengths[-1] < 1 or num_spare < 0:
        raise InputError(f"{num_test} test rows came, expected at least 100")
    lengths = random.permutation(lengths)
    gaps = np.bincount(random.integers(0, num_events + 1, num_spare), minlength=num_events + 1)
    gaps[1:-1] += 1
    labels = np.zeros(num_test, np.int8)
    starts = np.cumsum(gaps[:-1]) + np.cumsum(lengths) - lengths
    for start, length in zip(starts, lengths, strict=True):
        labels[start : start + length] = 1
    return labels


def _labels(
    path: str | Path | None, num_test: int, random: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Returns times in minutes and labels, both (num_test,)."""
    if path is None:
        if num_test < 100:
            raise InputError(f"{num_test} test rows came, expected at least 100")
        return FIRST_TEST_MINUTE + np.arange(num_test), draw_labels(num_test, random)
    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path} not found, expected PSM's test_label.csv; leave --labels out")
    frame = read_published_csv("psm", path, path.parent)
    if list(frame.columns) != [TIME_COLUMN, "label"]:
        raise damaged("psm", path, f"columns {list(frame.columns)}, not {TIME_COLUMN!r}, 'label'")
    return frame[TIME_COLUMN].to_numpy(), to_labels("psm", path, frame["label"], len(frame))


def _normal_rows(seed: int, num_train: int, num_test: int, keep_trend: bool) -> np.ndarray:
    """Returns train and test without anomalies, (num_train + num_test, 25), train in [0, 1].

    The synthetic set's trend is made for four weeks. Over 153 days it outgrows the daily cycle, and
    what a method then shows is how it takes drift; so it is left out unless asked for.
    """
    normal = make_synthetic(seed, num_train, num_test, NUM_FEATURES, anomaly_ratio=0.0)
    values = np.concatenate([normal.train, normal.test])
    if not keep_trend:
        time = np.linspace(-1.0, 1.0, len(values))
        slope = time @ (values - values.mean(axis=0)) / (time @ time)  # (num_features,)
        values -= time[:, None] * slope
    low, high = values[:num_train].min(axis=0), values[:num_train].max(axis=0)
    return (values - low) / (high - low)


def _inject(rows: np.ndarray, noise: np.ndarray, random: np.random.Generator) -> None:
    """Adds one anomaly in place to `rows` (length, num_features)."""
    length, num_features = rows.shape
    count = random.integers(max(1, num_features // 10), num_features // 2 + 1)
    features = random.choice(num_features, count, replace=False)
    low, high = np.log(AMPLITUDE)
    amplitude = np.exp(random.uniform(low, high)) * random.uniform(0.7, 1.3, count)
    kind = random.choice(["spike", "drop", "level_shift", "variance_change"])
    if kind == "variance_change":
        effect = amplitude * random.standard_normal((length, count))
    elif kind == "level_shift":
        effect = np.ones((length, 1)) * amplitude * random.choice([-1.0, 1.0], count)
    elif kind == "drop":  # a fall and a slow recovery, again and again
        effect = -(1 - 0.7 * (np.arange(length)[:, None] % 30) / 30) * amplitude
    else:
        effect = np.exp(-(np.arange(length)[:, None] % 10) / 3) * 1.5 * amplitude
    if length > LONG_EVENT:  # on and off in blocks of 30 rows, on at first
        blocks = random.random(-(-length // 30)) < 0.5
        blocks[0] = True
        effect = effect * np.repeat(blocks, 30)[:length, None]
    rows[:, features] += noise[features] * effect


def _remove_cells(train: np.ndarray, random: np.random.Generator) -> None:
    """Makes runs of 1 to 20 cells NaN in place; every tenth run takes all features."""
    num_rows, num_features = train.shape
    mean_cells = 10.5 * (0.9 + 0.1 * num_features)
    for run in range(max(1, round(MISSING_SHARE * train.size / mean_cells))):
        start = random.integers(0, num_rows)
        end = start + random.integers(1, 21)
        feature = random.integers(0, num_features)
        train[start:end, slice(None) if run % 10 == 9 else feature] = np.nan


def _write_table(path: Path, times: np.ndarray, values: np.ndarray) -> None:
    frame = pd.DataFrame(values, columns=[f"feature_{i}" for i in range(values.shape[1])])
    frame.insert(0, TIME_COLUMN, times)
    with atomic_write(path) as file:
        frame.to_csv(file, index=False, float_format="%.9f", lineterminator="\n")


def _write_labels(
    path: Path, source: str | Path | None, times: np.ndarray, labels: np.ndarray
) -> None:
    if source is not None:
        with atomic_write(path, "wb") as file:
            file.write(Path(source).read_bytes())
        return
    frame = pd.DataFrame({TIME_COLUMN: times.astype(float), "label": labels})
    with atomic_write(path) as file:
        frame.to_csv(file, index=False, lineterminator="\n")


def _label_origin(path: Path, source: str | Path | None) -> str:
    if source is None:
        return "the label layout is drawn, too"
    published = next(s for s in list_sources("psm") if s.path.endswith("test_label.csv"))
    if git_blob_sha1(path) == published.git_blob_sha1:
        return "the label layout is the published one"
    return "the label layout is from a file that is not the published one"


def _note(seed: int, origin: str, keep_trend: bool) -> str:
    drift = "with a trend, " if keep_trend else ""
    return (
        "STAND-IN, not PSM: the features are generated server metrics with injected anomalies "
        f"({drift}seed {seed}); {origin}. Time and memory are those of PSM's "
        "size; no quality figure can be compared with results on PSM."
    )


if __name__ == "__main__":
    sys.exit(main())
