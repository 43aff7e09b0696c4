"""From tables to the score files that `score` writes, chunk by chunk with flat memory."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO

import numpy as np

from tsad_keras.datasets.table_cells import show_time
from tsad_keras.datasets.tables import Table, iterate_table
from tsad_keras.files import atomic_write
from tsad_keras.inference.scores import SeriesScorer

HEADER = "time,anomaly_score,is_anomaly\n"


def score_file(
    scorer: SeriesScorer,
    source: str | os.PathLike[str],
    output: str | os.PathLike[str],
    *,
    causal: bool = False,
    chunk_size: int = 10_000,
    **columns: str | None,
) -> tuple[int, int]:
    """Scores a CSV or Parquet file of any length into a CSV file, which appears when it is whole.

    Args:
        scorer: A fitted detector, or an exported one.
        source: The file to read.
        output: The file to write.
        causal: Whether to judge each row by what came before it only.
        chunk_size: Rows read at a time.
        **columns: `time_column` and `label_column` as `read_table` takes them.

    Returns:
        Number of rows and of alarms.

    Raises:
        InputError: If the file is at fault or the output cannot be written.
    """
    tables = iterate_table(
        source, chunk_size=chunk_size, feature_names=scorer.feature_names_, **columns
    )
    return write_scores(scorer, tables, output, causal=causal)


def write_scores(
    scorer: SeriesScorer,
    tables: Iterable[Table],
    output: str | os.PathLike[str],
    *,
    causal: bool = False,
) -> tuple[int, int]:
    """Scores one series that comes in tables; the rest is as for `score_file`."""
    pending: list[np.ndarray] = []  # times whose scores are not final yet
    threshold = scorer.alarm_threshold(causal)
    num_rows = num_alarms = 0
    with atomic_write(Path(output)) as file:
        file.write(HEADER)
        pieces = _values(tables, pending)
        for contributions in scorer.iterate_explained(pieces, causal=causal):
            scores = contributions.sum(axis=1)
            alarms = scores >= threshold
            _write_rows(file, _take(pending, len(scores)), scores, alarms)
            num_rows += len(scores)
            num_alarms += int(alarms.sum())
    return num_rows, num_alarms


def _values(tables: Iterable[Table], pending: list[np.ndarray]) -> Iterator[np.ndarray]:
    """Yields the values of tables and notes their times; rows without times are counted from 0."""
    first = 0
    for table in tables:
        count = table.num_timesteps
        times = table.timestamps
        pending.append(np.arange(first, first + count) if times is None else np.asarray(times))
        first += count
        yield table.values


def _take(pending: list[np.ndarray], count: int) -> np.ndarray:
    """Removes and returns the first `count` times."""
    parts = []
    while count:
        head = pending.pop(0)
        parts.append(head[:count])
        if len(head) > count:
            pending.insert(0, head[count:])
        count -= len(parts[-1])
    return np.concatenate(parts)


def _write_rows(file: IO[str], times: np.ndarray, scores: np.ndarray, alarms: np.ndarray) -> None:
    writer = csv.writer(file, lineterminator="\n")
    writer.writerows(
        (show_time(time), f"{value:.9g}", int(alarm))
        for time, value, alarm in zip(times, scores, alarms, strict=True)
    )
