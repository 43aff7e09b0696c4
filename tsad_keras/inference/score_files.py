"""From tables to the score files that `score` writes, chunk by chunk in little memory."""

from __future__ import annotations

import contextlib
import itertools
import logging
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Any

import numpy as np

from tsad_keras.datasets.gaps import gap_starts
from tsad_keras.datasets.sampling import AS_THEY_ARE, check_rate, parse_interval, resample
from tsad_keras.datasets.table_cells import show_times
from tsad_keras.datasets.tables import Table, iterate_table
from tsad_keras.errors import InputError
from tsad_keras.files import atomic_write, is_stream
from tsad_keras.inference.scores import SeriesScorer

logger = logging.getLogger(__name__)

HEADER = "time,anomaly_score,is_anomaly\n"
_BLOCK_BYTES = 1 << 20  # of lines that are decided again


def score_file(
    scorer: SeriesScorer,
    source: str | os.PathLike[str],
    output: str | os.PathLike[str],
    *,
    causal: bool = False,
    max_gap: float | None = None,
    rate: dict[str, Any] | None = None,
    **options: Any,
) -> tuple[int, int]:
    """Scores a CSV or Parquet file of any length into a CSV file, which appears when it is whole.

    Args:
        scorer: A fitted detector, or an exported one.
        source: The file to read.
        output: The file to write.
        causal: Whether to judge each row by what came before it only.
        max_gap: As for `write_scores`.
        rate: The model's, see `at_rate`.
        **options: `resample` for `at_rate`; all others are for `iterate_table`.

    Returns:
        Number of rows and of alarms.

    Raises:
        InputError: If the file is at fault or the output cannot be written.
    """
    wanted = options.pop("resample", None)
    options = {"chunk_size": 10_000, **options}
    tables = iterate_table(source, feature_names=scorer.feature_names_, **options)
    tables = at_rate(tables, wanted, rate, str(source))
    return write_scores(scorer, tables, output, causal=causal, max_gap=max_gap)


def at_rate(
    tables: Iterable[Table], wanted: str | None, rate: dict[str, Any] | None, source: str
) -> Iterable[Table]:
    """The chunks of a file on the grid that was asked for, if they are of the model's rate.

    Args:
        tables: Chunks in time order.
        wanted: What `--resample` says.
        rate: The model's, as `read_rate` gives it.
        source: Name of the file, for messages.
    """
    interval = parse_interval(wanted)
    if wanted == AS_THEY_ARE:
        return tables
    if interval is not None:
        tables = resample(tables, interval, source)
    return check_rate(tables, rate, source)


def write_scores(
    model: SeriesScorer,
    tables: Iterable[Table],
    output: str | os.PathLike[str],
    *,
    causal: bool = False,
    max_gap: float | None = None,
) -> tuple[int, int]:
    """Writes the scores of the chunks of one file; returns the numbers of rows and of alarms.

    Args:
        model: What scores.
        tables: Chunks in time order.
        output: The file; it appears whole or not at all.
        causal: Whether to judge each row by what came before it only.
        max_gap: Seconds (or units of numeric times) between rows that begin a new series.
    """
    num_rows = num_alarms = 0
    running = model.running_threshold()  # a file is one stream, whatever its gaps
    chosen = model.alarm_threshold(causal)
    with atomic_write(Path(output)) as target, _seekable(target, Path(output), causal) as file:
        file.write(HEADER)
        pieces = _pieces(tables, max_gap)
        for _, group in itertools.groupby(pieces, key=lambda piece: piece[0]):
            times: list[np.ndarray] = []  # of rows whose scores are not final yet
            values = _noted(group, times)
            # Without --max-gap a file shorter than a window is a mistake, and the model says so.
            if max_gap is not None and not causal:
                values, skipped = _filled_up(values, model.config.window_size)
            else:
                skipped = 0
            first_byte = 0 if causal else _position(file)
            kept = bytearray()  # the scores of the series, 8 bytes each
            for scores in _but_first(model.iterate_scores(values, causal=causal), skipped):
                alarms = scores >= (running.update(scores) if causal else chosen)
                write_rows(file, _take(times, len(scores)), scores, alarms)
                num_rows += len(scores)
                num_alarms += int(alarms.sum())
                kept += b"" if causal else scores.tobytes()
            if not causal:
                # Whether a score is an alarm depends on the whole series: known only now.
                scores = np.frombuffer(kept)
                alarms = scores >= _told(model, scores, chosen)
                if (taken_back := int((scores >= chosen).sum() - alarms.sum())) > 0:
                    _decide_again(file, first_byte, alarms)
                    num_alarms -= taken_back
    return num_rows, num_alarms


@contextlib.contextmanager
def _seekable(target: IO[str], path: Path, causal: bool) -> Iterator[IO[str]]:
    """The file itself, or one whose content goes to the pipe or device at the end.

    Causal decisions are final, so nothing that was written is changed, and a pipe gets them at
    once.
    """
    if causal or not is_stream(path):
        yield target
        return
    with tempfile.TemporaryFile("w+", encoding="utf-8", newline="") as file:
        yield file
        file.seek(0)
        shutil.copyfileobj(file, target)


def _position(file: IO[str]) -> int:
    file.flush()
    return os.lseek(file.fileno(), 0, os.SEEK_CUR)


def _decide_again(file: IO[str], first_byte: int, alarms: np.ndarray) -> None:
    """Writes other decisions into the lines from a position on: the last character of each."""
    end, position, row = _position(file), first_byte, 0
    while position < end:
        block = os.pread(file.fileno(), min(_BLOCK_BYTES, end - position), position)
        content = np.frombuffer(block[: block.rindex(b"\n") + 1], np.uint8).copy()
        last = np.flatnonzero(content == ord("\n")) - 1
        content[last] = ord("0") + alarms[row : row + len(last)]
        os.pwrite(file.fileno(), content.tobytes(), position)
        position += len(content)
        row += len(last)


def _told(model: SeriesScorer, scores: np.ndarray, chosen: float) -> float:
    """The threshold of a whole series; a warning where it is not that of the training part."""
    threshold = model.series_threshold(scores)
    if threshold > chosen:
        logger.warning(
            "%.1f %% of %d rows reach the threshold %.6g of the training part, probably because "
            "normal behaviour has changed since: judged by %.6g (max_alarm_rate %g)",
            100 * np.mean(scores >= chosen),
            len(scores),
            chosen,
            threshold,
            model.config.max_alarm_rate,
        )
    return threshold


def _but_first(parts: Iterable[np.ndarray], skipped: int) -> Iterator[np.ndarray]:
    """Yields scores, but for those of the first rows of the series."""
    for part in parts:
        yield part[skipped:]
        skipped = max(0, skipped - len(part))


def _pieces(
    tables: Iterable[Table], max_gap: float | None
) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
    """Yields number of the series, values and times; a gap begins a new series."""
    number, previous = 0, None
    for table in tables:
        first, count = table.first_row - 1, len(table.values)
        times = np.arange(first, first + count) if table.timestamps is None else table.timestamps
        starts = np.zeros(0, int)
        if max_gap is not None:
            if table.timestamps is None:
                raise InputError(
                    f"--max-gap {max_gap:g} came for rows without times, expected a time column; "
                    "leave it out or name the column with --time-column"
                )
            starts = gap_starts(times, max_gap, previous)
            previous = times[-1]
        for index, (values, own) in enumerate(
            zip(np.split(table.values, starts), np.split(times, starts), strict=True)
        ):
            number += index > 0
            if len(values):
                yield number, values, own


def _noted(
    pieces: Iterable[tuple[int, np.ndarray, np.ndarray]], times: list[np.ndarray]
) -> Iterator[np.ndarray]:
    for _, values, own in pieces:
        times.append(own)
        yield values


def _filled_up(pieces: Iterator[np.ndarray], window_size: int) -> tuple[Iterator[np.ndarray], int]:
    """Repeats the first row in front of a series shorter than a window, as streams do.

    Returns:
        The pieces, and how many rows were put in front.
    """
    head: list[np.ndarray] = []
    for piece in pieces:
        head.append(piece)
        if sum(map(len, head)) >= window_size:
            break
    missing = max(0, window_size - sum(map(len, head)))
    if missing:
        head.insert(0, np.repeat(head[0][:1], missing, axis=0))
    return itertools.chain(head, pieces), missing


def _take(pending: list[np.ndarray], count: int) -> np.ndarray:
    """Removes and returns the first `count` times."""
    parts = [np.zeros(0)] if not count else []
    while count:
        head = pending.pop(0)
        parts.append(head[:count])
        if len(head) > count:
            pending.insert(0, head[count:])
        count -= len(parts[-1])
    return np.concatenate(parts)


def write_rows(file: IO[str], times: np.ndarray, scores: np.ndarray, alarms: np.ndarray) -> None:
    """Writes a line of time, score and decision for each row; no cell needs quotes."""
    cells = zip(show_times(times), scores.tolist(), alarms.tolist(), strict=True)
    file.writelines(f"{time},{value:.9g},{alarm:d}\n" for time, value, alarm in cells)
