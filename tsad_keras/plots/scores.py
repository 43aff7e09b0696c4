"""Scores over time: the whole test part, and stretches of it."""

from __future__ import annotations

import matplotlib.dates as mdates
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from tsad_keras.datasets.base import TimeSeriesDataset
from tsad_keras.evaluation import labels_to_events
from tsad_keras.plots.drawing import (
    BLUE,
    GREY,
    ORANGE,
    RED,
    count_in_whole_numbers,
    shortened,
    spans_decades,
)

_MAX_DRAWN = 3000  # more points than pixels make solid blocks and slow files
_LEAST_SHARE_OF_AXIS = 500  # no event is drawn thinner than this part of the axis, some 2 pixels


def plot_scores(
    scores: np.ndarray,
    threshold: float,
    predictions: np.ndarray,
    labels: np.ndarray | None = None,
    timestamps: np.ndarray | None = None,
    title: str = "Anomaly score of the test part",
) -> Figure:
    """Score, threshold, true events (shaded) and alarms over the whole series.

    Args:
        scores: `(num_timesteps,)`.
        threshold: Scores at or above it are alarms.
        predictions: `(num_timesteps,)` 0/1.
        labels: `(num_timesteps,)` 0/1, or None if unknown.
        timestamps: `(num_timesteps,)`; drawn on the axis if they are dates.
        title: Heading.
    """
    figure = Figure(figsize=(12, 4.6), layout="constrained")
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=[8, 1])
    positions = _positions(timestamps, 0, len(scores))
    _draw_scores(upper, positions, scores, threshold, labels)
    upper.set_title(title, loc="left")
    _draw_strips(lower, positions, predictions, labels)
    _label_time_axis(lower, timestamps)
    return figure


def plot_stretch(
    dataset: TimeSeriesDataset,
    contributions: np.ndarray,
    threshold: float,
    predictions: np.ndarray,
    stretch: tuple[int, int],
    title: str,
) -> Figure:
    """One stretch of the test part: the score, and the three features that made its highest scores.

    Args:
        dataset: The data.
        contributions: `(num_test, num_features)`; rows sum to the score.
        threshold: Scores at or above it are alarms.
        predictions: `(num_test,)` 0/1.
        stretch: First row and row after the last.
        title: Heading.
    """
    rows = slice(*stretch)
    labels = None if dataset.test_labels is None else dataset.test_labels[rows]
    part = contributions[rows]
    scores = part.sum(axis=1)
    peaks = part[scores >= np.quantile(scores, 0.95)].sum(axis=0)
    top = np.argsort(-peaks, kind="stable")[:3]
    figure = Figure(figsize=(12, 4 + 1.2 * len(top)), layout="constrained")
    heights = [4, 0.7, *[1.5] * len(top)]
    panels = figure.subplots(len(heights), 1, sharex=True, height_ratios=heights)
    positions = _positions(dataset.test_timestamps, *stretch)
    _draw_scores(panels[0], positions, scores, threshold, labels)
    panels[0].set_title(title, loc="left")
    _draw_strips(panels[1], positions, predictions[rows], labels)
    for axes, index in zip(panels[2:], top, strict=True):
        _shade(axes, positions, labels)
        axes.plot(positions, dataset.test[rows, index], color=GREY, linewidth=0.9)
        share = peaks[index] / max(peaks.sum(), 1e-300)
        name = shortened(dataset.feature_names[index], 40)
        axes.set_title(
            f"{name}: raw value ({share:.0%} of the highest scores)", fontsize=9, loc="left"
        )
        axes.tick_params(labelsize=8)
        axes.grid(alpha=0.3)
    _label_time_axis(panels[-1], dataset.test_timestamps)
    return figure


def _draw_scores(
    axes: Axes,
    positions: np.ndarray,
    scores: np.ndarray,
    threshold: float,
    labels: np.ndarray | None,
) -> None:
    """Score line (an envelope if there are more points than pixels), threshold, shaded events."""
    _shade(axes, positions, labels)
    if len(scores) <= _MAX_DRAWN:
        axes.plot(positions, scores, color=BLUE, linewidth=0.9, label="score")
    else:
        first = np.linspace(0, len(scores), _MAX_DRAWN // 2, endpoint=False).astype(int)
        low, high = np.minimum.reduceat(scores, first), np.maximum.reduceat(scores, first)
        axes.fill_between(
            positions[first],
            low,
            high,
            color=BLUE,
            linewidth=0.5,
            label="score (lowest to highest)",
        )
    axes.axhline(threshold, color="black", linestyle="--", linewidth=1, label="threshold")
    if spans_decades(scores, threshold):
        axes.set_yscale("log")
        axes.set_ylim(bottom=0.8 * max(np.quantile(scores, 0.001), scores.max() * 1e-8))
    handles, _ = axes.get_legend_handles_labels()
    if labels is not None:
        handles.append(Patch(color=RED, alpha=0.22, label="true event"))
    axes.legend(handles=handles, fontsize=8, ncols=3, loc="lower right", bbox_to_anchor=(1, 1))
    axes.set_ylabel("anomaly score")
    axes.set_xlim(positions[0], positions[-1])
    axes.grid(alpha=0.3)


def _draw_strips(
    axes: Axes, positions: np.ndarray, predictions: np.ndarray, labels: np.ndarray | None
) -> None:
    """Bars of alarms and, above them, of true events."""
    strips = [("alarms", predictions, ORANGE)]
    if labels is not None:
        strips.append(("truth", labels, RED))
    for height, (_, flags, color) in enumerate(strips):
        axes.broken_barh(_ranges(positions, flags), (height + 0.1, 0.8), color=color, linewidth=0)
    axes.set_xlim(positions[0], positions[-1])
    axes.set_yticks(
        [index + 0.5 for index in range(len(strips))], [s[0] for s in strips], fontsize=8
    )
    axes.set_ylim(0, len(strips))


def _shade(axes: Axes, positions: np.ndarray, labels: np.ndarray | None) -> None:
    if labels is not None and np.any(labels):
        axes.broken_barh(
            _ranges(positions, labels),
            (0, 1),
            transform=axes.get_xaxis_transform(),
            color=RED,
            alpha=0.22,
            linewidth=0,
        )


def _ranges(positions: np.ndarray, flags: np.ndarray) -> list[tuple[float, float]]:
    """Start and width of every run of ones, those too thin to be seen widened around their middle.

    A row reaches from half a step before its position to half a step after it. Runs that touch
    after the widening are one, as overlapping shades would be darker.
    """
    span = positions[-1] - positions[0]
    least, step = span / _LEAST_SHARE_OF_AXIS, span / max(len(positions) - 1, 1)
    ranges: list[tuple[float, float]] = []
    for start, end in labels_to_events(flags):
        middle = (positions[start] + positions[end - 1]) / 2
        half = max(positions[end - 1] - positions[start] + step, least) / 2
        left, right = middle - half, middle + half
        if ranges and left <= sum(ranges[-1]):
            left, _ = ranges.pop()
        ranges.append((left, right - left))
    return ranges


def _positions(timestamps: np.ndarray | None, start: int, end: int) -> np.ndarray:
    """Places on the time axis: dates as matplotlib counts them, else row numbers."""
    if _is_dates(timestamps):
        return mdates.date2num(timestamps[start:end])
    return np.arange(start, end, dtype=float)


def _label_time_axis(axes: Axes, timestamps: np.ndarray | None) -> None:
    if _is_dates(timestamps):
        locator = mdates.AutoDateLocator()
        axes.xaxis.set_major_locator(locator)
        axes.xaxis.set_major_formatter(mdates.ConciseDateFormatter(locator))
        axes.set_xlabel("time")
        return
    count_in_whole_numbers(axes.xaxis)
    axes.set_xlabel("test row")


def _is_dates(timestamps: np.ndarray | None) -> bool:
    return timestamps is not None and np.asarray(timestamps).dtype.kind == "M"
