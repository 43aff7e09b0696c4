"""Training rows replaced by anomalies, to measure what a method makes of history that is not clean.

The test series is cut in two. Labelled segments of its first half can get into the training series
(kind `real`), as can anomalies of the synthetic set (kind `synthetic`); both are judged on the
second half, which nothing is taken from. `python -m tsad_keras.benchmark.contamination` reads a
`ContaminationTask` as `tsad_keras.benchmark.worker` reads a `Task`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any, ClassVar

import numpy as np

from tsad_keras.benchmark.worker import Task, run_seed, serve
from tsad_keras.datasets import load_dataset
from tsad_keras.datasets.base import AnomalySegment, TimeSeriesDataset
from tsad_keras.datasets.synthetic import add_anomaly, draw_features, draw_kinds
from tsad_keras.errors import InputError
from tsad_keras.evaluation import labels_to_events

KINDS = ("synthetic", "real")
CLEAN = "none"  # the kind of rate 0, which all kinds share
CONDITIONS = {"kind": str, "rate": float, "num_replaced": int, "num_distinct": int}
_LENGTHS = (50, 150)  # rows of a synthetic anomaly, as in the synthetic set


@dataclasses.dataclass(frozen=True, kw_only=True)
class ContaminationTask(Task):
    """A `Task` on contaminated data.

    Attributes:
        points: Arguments `kind`, `rate` and `seed` of `contaminate`, one after the other; the seed
            is that of the fit as well. They stand in place of `seeds`, which are not used.
    """

    seeds: tuple[int, ...] = ()
    points: tuple[tuple[str, float, int], ...] = ()

    worker: ClassVar[str] = "tsad_keras.benchmark.contamination"


@dataclasses.dataclass(frozen=True)
class Halves:
    """A data set whose test series has been cut.

    Attributes:
        dataset: The training series, and the second half as the test series.
        segments: The anomalies of the first half, each `(num_timesteps, num_features)`.
    """

    dataset: TimeSeriesDataset
    segments: tuple[np.ndarray, ...]


@dataclasses.dataclass(frozen=True)
class Contaminated:
    """What a model is fitted to.

    Attributes:
        dataset: As in `Halves`, with some training rows replaced.
        replaced: Which ones, `(num_train,)` bool.
        num_distinct: Number of different segments in them (`real`), or of anomalies drawn.
    """

    dataset: TimeSeriesDataset
    replaced: np.ndarray
    num_distinct: int

    @property
    def facts(self) -> dict[str, int]:
        """Columns of a row that follow from the data."""
        return {"num_replaced": int(self.replaced.sum()), "num_distinct": self.num_distinct}


def run_task(task: ContaminationTask) -> Iterator[list[dict[str, Any]]]:
    """Yields the rows of each point: one for each method and post.

    Args:
        task: What to run.

    Raises:
        InputError: If the data are not there, cannot be cut, or do not fit the settings.
    """
    halves = split_test(load_dataset(task.dataset, task.entity, task.data_dir, **task.data_options))
    for kind, rate, seed in task.points:
        made = contaminate(halves, kind, rate, seed)
        facts = {"kind": kind, "rate": rate, **made.facts}
        yield [facts | row for row in run_seed(task, made.dataset, seed)]


def split_test(dataset: TimeSeriesDataset) -> Halves:
    """Cuts the test series before the normal row that is nearest to its middle.

    Args:
        dataset: With labels.

    Raises:
        InputError: If there are no labels, or one of the halves has no anomaly.
    """
    labels = dataset.test_labels
    source = f"{dataset.name} {dataset.entity}"
    if labels is None or not (labels == 0).any():
        raise InputError(f"{source} has no labels of normal and anomalous rows, expected both")
    normal = np.flatnonzero(labels == 0)
    cut = int(normal[np.abs(normal - len(labels) // 2).argmin()])
    events = [labels_to_events(part) for part in (labels[:cut], labels[cut:])]
    if not all(len(found) for found in events):
        raise InputError(
            f"{source} has {len(events[0])} anomalies in the first half of its test series and "
            f"{len(events[1])} in the second, expected some in both"
        )
    times = dataset.test_timestamps
    half = dataclasses.replace(
        dataset,
        test=dataset.test[cut:],
        test_labels=labels[cut:],
        test_timestamps=None if times is None else times[cut:],
        test_feature_labels=None,
        test_segments=(),
    )
    return Halves(half, tuple(dataset.test[start:end] for start, end in events[0]))


def contaminate(halves: Halves, kind: str, rate: float, seed: int) -> Contaminated:
    """Replaces stretches at random places of the training series, its validation tail included.

    The anomalies come one after the other until there are enough rows, the last of them cut. A
    higher rate has those of a lower one of the same seed and more, at other places.

    Args:
        halves: The data.
        kind: One of `KINDS`, or `CLEAN`.
        rate: Share of the training rows, in [0, 0.5]; met to the nearest row.
        seed: The same one gives the same data.

    Raises:
        InputError: If an argument is out of range.
    """
    if not 0 <= rate <= 0.5:
        raise InputError(f"a contamination rate is {rate}, expected a number in [0, 0.5]")
    if kind not in (*KINDS, CLEAN) or (kind == CLEAN) != (rate == 0):
        raise InputError(
            f"contamination of kind {kind!r} and rate {rate} came, expected one of "
            f"{', '.join(KINDS)} with a rate above 0, or {CLEAN} with 0"
        )
    train = halves.dataset.train.copy()
    replaced = np.zeros(len(train), bool)
    num_rows = round(rate * len(train))
    if num_rows == 0:
        return Contaminated(halves.dataset, replaced, 0)
    seeds = np.random.SeedSequence([seed, KINDS.index(kind)]).spawn(4)
    places, *streams = (np.random.default_rng(one) for one in seeds)
    put = _put_real if kind == "real" else _put_synthetic
    num_distinct = put(halves, train, replaced, num_rows, places, streams)
    return Contaminated(dataclasses.replace(halves.dataset, train=train), replaced, num_distinct)


def _put_real(
    halves: Halves,
    train: np.ndarray,
    replaced: np.ndarray,
    num_rows: int,
    places: np.random.Generator,
    streams: list[np.random.Generator],
) -> int:
    """Puts segments in place of training rows; returns how many different ones."""
    segments = halves.segments
    order: list[int] = []
    while sum(len(segments[index]) for index in order) < num_rows:
        order += streams[0].permutation(len(segments)).tolist()  # again only after all the others
    lengths = _cut([len(segments[index]) for index in order], num_rows)
    starts = _draw_starts(lengths, len(train), places)
    for index, start, length in zip(order, starts, lengths, strict=False):
        train[start : start + length] = segments[index][:length]
        replaced[start : start + length] = True
    return len(set(order[: len(lengths)]))


def _put_synthetic(
    halves: Halves,
    train: np.ndarray,
    replaced: np.ndarray,
    num_rows: int,
    places: np.random.Generator,
    streams: list[np.random.Generator],
) -> int:
    """Adds anomalies of the synthetic set to training rows; returns how many."""
    # What a row has that its two neighbours' mean has not: a course that changes slowly is gone.
    noise = np.zeros_like(train)
    noise[1:-1] = (train[1:-1] - (train[:-2] + train[2:]) / 2) / np.sqrt(1.5)
    noise = np.nan_to_num(noise)
    spread = noise.std(axis=0)
    alive = np.flatnonzero(spread > 0)  # a constant feature has no noise to measure sizes in
    if alive.size == 0:
        raise InputError("no training feature varies from row to row, expected at least one")
    noise[:, alive] /= spread[alive]
    low, high = _LENGTHS
    most = num_rows // low + 1
    lengths = _cut(streams[0].integers(low, high + 1, most).tolist(), num_rows)
    kinds = draw_kinds(streams[1], len(lengths))
    starts = _draw_starts(lengths, len(train), places)
    for kind, start, length in zip(kinds, starts, lengths, strict=True):
        features = tuple(alive[list(draw_features(streams[2], len(alive)))].tolist())
        segment = AnomalySegment(start, start + length, kind, features)
        add_anomaly(train, segment, noise, spread, streams[2])
        replaced[start : start + length] = True
    return len(lengths)


def _cut(lengths: list[int], total: int) -> list[int]:
    """The first lengths, the last of them cut so that their sum is `total`.

    Example:
        >>> _cut([3, 4, 5, 6], 9)
        [3, 4, 2]
    """
    ends = np.minimum(np.cumsum(lengths), total)
    cut = np.diff(ends, prepend=0)
    return cut[cut > 0].tolist()


def _draw_starts(lengths: list[int], num_rows: int, random: np.random.Generator) -> list[int]:
    """Starts of stretches that do not overlap; every layout is equally likely."""
    count, spare = len(lengths), num_rows - sum(lengths)
    normal_before = np.sort(random.choice(spare + count, count, replace=False)) - np.arange(count)
    order = random.permutation(count)  # or the one that is cut would always come last
    placed = np.asarray(lengths)[order]
    starts = np.empty(count, int)
    starts[order] = normal_before + np.cumsum(placed) - placed
    return starts.tolist()


if __name__ == "__main__":
    serve(ContaminationTask, run_task)
