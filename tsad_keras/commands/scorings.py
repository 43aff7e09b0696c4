"""The command `score`: a file of any length, a dataset's test part, or those of many entities."""

from __future__ import annotations

import argparse
import itertools
import logging
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING

import numpy as np

from tsad_keras.commands import sources
from tsad_keras.commands.models import load_model, model_folder
from tsad_keras.commands.places import check_folder, check_output
from tsad_keras.commands.starting import quiet_readers, quiet_start
from tsad_keras.datasets.gaps import gap_starts
from tsad_keras.errors import InputError
from tsad_keras.files import atomic_write, is_stream
from tsad_keras.persistence import read_rate

if TYPE_CHECKING:
    from tsad_keras.datasets.table_chunks import Table
    from tsad_keras.inference.scores import SeriesScorer

logger = logging.getLogger(__name__)


def score(arguments: argparse.Namespace) -> None:
    """Scores a file in chunks, or a dataset's test part, into a CSV file; or a folder of such."""
    if arguments.entities:
        _score_many(arguments)
        return
    output = Path(arguments.output)
    check_output(output, [arguments.input])
    if is_stream(output):  # it may be standard output: nothing but scores may go there
        logging.getLogger("tsad_keras").setLevel(logging.WARNING)
    sources.check_source(arguments, arguments.dataset, has_entities=True)
    with quiet_start():
        from tsad_keras import detector  # noqa: F401 (its import is what takes time)

    dataset = sources.load_named(arguments) if arguments.dataset else None
    entity = arguments.entity if dataset is None else dataset.entity
    model = load_model(arguments.model_dir, entity, of_dataset=dataset is not None)
    rate = read_rate(model_folder(arguments.model_dir, entity))
    tables = sources.score_tables(arguments, dataset, model.feature_names_, rate)
    num_rows, num_alarms = score_tables(model, tables, output, arguments)
    print(
        f"{num_rows} time steps, {num_alarms} alarms ({num_alarms / num_rows:.2%}): {output}",
        file=sys.stderr if is_stream(output) else sys.stdout,
    )


def _score_many(arguments: argparse.Namespace) -> None:
    """Scores the test parts of several entities, each into a CSV file of its name."""
    from tsad_keras.fleet.run import entity_folders

    if not arguments.dataset:
        raise InputError("--entities came with --input, expected it with --dataset; name one")
    folder = Path(arguments.output)
    check_folder(folder)
    sources.check_source(arguments, arguments.dataset)
    names = entity_folders(sources.chosen_entities(arguments.dataset, arguments))
    with quiet_start():
        from tsad_keras import detector  # noqa: F401
    failed, loaded = 0, {}
    for number, (entity, name) in enumerate(names.items(), start=1):
        path = folder / f"{name}.csv"
        try:
            with quiet_readers():
                dataset = sources.load_named(arguments, entity)
                model = load_model(arguments.model_dir, entity, of_dataset=True, loaded=loaded)
                tables = sources.score_tables(arguments, dataset, model.feature_names_)
                num_rows, num_alarms = score_tables(model, tables, path, arguments)
        except InputError as error:
            failed += 1
            logger.warning("%d/%d %s: failed: %s", number, len(names), entity, error)
            continue
        logger.info("%d/%d %s: %d of %d alarms", number, len(names), entity, num_alarms, num_rows)
    print(f"{len(names) - failed} of {len(names)} entities scored: {folder}")
    if failed:
        raise InputError(f"{failed} of {len(names)} entities failed; the others are in {folder}")


def score_tables(
    model: SeriesScorer, tables: Iterable[Table], output: Path, arguments: argparse.Namespace
) -> tuple[int, int]:
    """Writes the scores of the chunks of one file; returns the numbers of rows and of alarms.

    Args:
        model: What scores.
        tables: Chunks in time order.
        output: The file; it appears whole or not at all.
        arguments: Has `causal` and `max_gap`.
    """
    threshold = model.alarm_threshold(arguments.causal)
    num_rows = num_alarms = 0
    with atomic_write(output) as file:
        file.write("time,anomaly_score,is_anomaly\n")
        pieces = _pieces(tables, arguments.max_gap)
        for _, group in itertools.groupby(pieces, key=lambda piece: piece[0]):
            times: list[np.ndarray] = []  # of rows whose scores are not final yet
            values = _noted(group, times)
            # Without --max-gap a file shorter than a window is a mistake, and the model says so.
            if arguments.max_gap is not None and not arguments.causal:
                values, skipped = _filled_up(values, model.config.window_size)
            else:
                skipped = 0
            for contributions in model.iterate_explained(values, causal=arguments.causal):
                scores = contributions.sum(axis=1)[skipped:]
                skipped = max(0, skipped - len(contributions))
                alarms = scores >= threshold
                write_scores(file, _take(times, len(scores)), scores, alarms)
                num_rows += len(scores)
                num_alarms += int(alarms.sum())
    return num_rows, num_alarms


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


def write_scores(file: IO[str], times: np.ndarray, scores: np.ndarray, alarms: np.ndarray) -> None:
    """Writes rows of time, score and decision; no cell needs quotes."""
    from tsad_keras.datasets.table_cells import show_times

    cells = zip(show_times(times), scores.tolist(), alarms.tolist(), strict=True)
    file.writelines(f"{time},{value:.9g},{alarm:d}\n" for time, value, alarm in cells)
