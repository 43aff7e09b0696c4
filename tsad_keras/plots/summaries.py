"""Decisions, the features behind alarms, and the distributions of errors and scores."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import PowerNorm
from matplotlib.figure import Figure

from tsad_keras.plots.drawing import BLUE, GREEN, GREY, RED, shortened, spans_decades


def plot_confusion_matrix(labels: np.ndarray, predictions: np.ndarray) -> Figure:
    """Counts of time steps, and their share of each true class.

    Args:
        labels: `(num_timesteps,)` 0/1.
        predictions: `(num_timesteps,)` 0/1.
    """
    labels, predictions = np.asarray(labels, bool), np.asarray(predictions, bool)
    counts = np.array(
        [[np.sum((labels == t) & (predictions == p)) for p in (False, True)] for t in (False, True)]
    )
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    figure = Figure(figsize=(5.2, 4.4), layout="constrained")
    axes = figure.subplots()
    image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for row, column in np.ndindex(2, 2):
        axes.text(
            column,
            row,
            f"{counts[row, column]:,}\n{shares[row, column]:.1%} of {('normal', 'anomalous')[row]}",
            ha="center",
            va="center",
            color="white" if shares[row, column] > 0.5 else "black",
        )
    axes.set_xticks([0, 1], ["no alarm", "alarm"])
    axes.set_yticks([0, 1], ["normal", "anomalous"], rotation=90, va="center")
    axes.set_xlabel("decision at the label-free threshold")
    axes.set_ylabel("truth")
    axes.set_title("Test time steps", loc="left")
    figure.colorbar(image, ax=axes, label="share of the true class")
    return figure


def plot_alarm_features(
    contributions: np.ndarray,
    alarms: Sequence[dict[str, Any]],
    feature_names: Sequence[str],
    max_features: int = 20,
) -> Figure:
    """Which features made the largest alarms: shares of the score at each alarm's peak.

    Args:
        contributions: `(num_timesteps, num_features)`.
        alarms: At least one, in time order, as `list_alarms` or `group_alarms` describes them.
        feature_names: Names, num_features.
        max_features: Of those with smaller shares, only the sum is told.
    """
    peaks = contributions[[alarm["peak_row"] for alarm in alarms]]
    shares = 100 * peaks / np.maximum(peaks.sum(axis=1, keepdims=True), 1e-300)
    order = np.argsort(-shares.sum(axis=0), kind="stable")
    shown = np.sort(order[:max_features])  # in the data's order, which often groups related ones
    grid, names = shares[:, shown].T, [shortened(feature_names[i], 28) for i in shown]
    title = "Largest alarms: what the score at the peak is made of"
    if len(order) > max_features:
        others = shares[:, order[max_features:]].sum(axis=1)
        title += (
            f"\n({len(order) - max_features} other features make {others.min():.0f} to "
            f"{others.max():.0f} % and are not shown)"
        )
    figure = Figure(
        figsize=(3.2 + 0.62 * max(len(alarms), 4), 1.9 + 0.27 * len(names)), layout="constrained"
    )
    axes = figure.subplots()
    norm = PowerNorm(0.5, vmin=0, vmax=max(grid.max(), 1.0))  # one large share hides no other
    image = axes.imshow(grid, aspect="auto", cmap="magma_r", norm=norm)
    axes.set_yticks(range(len(names)), names, fontsize=8)
    texts = [
        f"{alarm['start']:,}" + (f"–{alarm['end'] - 1:,}" if alarm["length"] > 1 else "")
        for alarm in alarms
    ]
    axes.set_xticks(range(len(alarms)), texts, rotation=45, ha="right", fontsize=8)
    axes.set_xlabel("alarm or group of near alarms (first and last test row)")
    axes.set_title(title, loc="left", fontsize=10)
    figure.colorbar(image, ax=axes, label="share of the score, % (square-root colour scale)")
    return figure


def plot_distributions(
    errors: dict[str, np.ndarray], scores: dict[str, np.ndarray], threshold: float
) -> Figure:
    """Histograms of reconstruction errors and of anomaly scores, with the threshold of the latter.

    Args:
        errors: Mean squared reconstruction errors `(num_timesteps,)` by part (train, validation,
            test, or its normal and anomalous steps).
        scores: Anomaly scores by part.
        threshold: Scores at or above it are alarms.
    """
    figure = Figure(figsize=(12, 4.4), layout="constrained")
    left, right = figure.subplots(1, 2)
    _draw_histogram(left, errors)
    left.set_xlabel("mean squared reconstruction error (scaled units)")
    left.set_title("Reconstruction error", loc="left")
    _draw_histogram(right, scores)
    right.axvline(threshold, color="black", linestyle="--", label=f"threshold {threshold:.3g}")
    right.set_xlabel("anomaly score (calibrated and smoothed as configured)")
    right.set_title("Anomaly score", loc="left")
    for axes in (left, right):
        axes.set_ylabel("share of the part's time steps (log)")
        axes.grid(alpha=0.3)
    figure.legend(*right.get_legend_handles_labels(), loc="outside lower center", ncols=5)
    return figure


def _draw_histogram(axes: Axes, parts: dict[str, np.ndarray]) -> None:
    """Outlines of the parts' histograms over common bins; heights are logarithmic for the tails."""
    parts = {name: values for name, values in parts.items() if len(values)}
    joined = np.concatenate(list(parts.values()))
    if spans_decades(joined):
        lowest = max(np.quantile(joined, 0.001), joined.max() * 1e-8)
        bins = np.geomspace(lowest, joined.max() * 1.001, 61)
        axes.set_xscale("log")
    else:
        bins = np.linspace(joined.min(), joined.max() + 1e-12, 61)
    for (name, values), color in zip(parts.items(), (GREY, GREEN, BLUE, RED), strict=False):
        weights = np.full(len(values), 1 / len(values))
        clipped = np.clip(values, bins[0], bins[-1])  # the lowest bin holds what lies below it
        axes.hist(
            clipped, bins, weights=weights, histtype="step", color=color, linewidth=1.4, label=name
        )
    axes.set_yscale("log")
    axes.set_ylim(0.5 / max(map(len, parts.values())), 1.5)  # a single time step still shows
