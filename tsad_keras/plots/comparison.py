"""The figures of a benchmark: means of the methods, and their ranks."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.figure import Figure
from matplotlib.patches import Patch

from tsad_keras.plots.drawing import BLUE, GREEN, GREY, ORANGE, RED, shortened

FAMILY_COLORS = {
    "floor": GREY,
    "simple": GREEN,
    "neural": ORANGE,
    "ours": BLUE,
    "ablation": RED,
}
_LONGEST = 44


def plot_means(
    labels: Sequence[str],
    means: Sequence[float],
    spreads: Sequence[float | None],
    families: Sequence[str],
    title: str,
) -> Figure:
    """A bar a method, in the given order, with the spread over seeds.

    Args:
        labels: Names of the methods.
        means: In [0, 1].
        spreads: Standard deviations; None for none.
        families: Keys of `FAMILY_COLORS`.
        title: Of the figure.
    """
    figure = Figure(figsize=(8.5, 1.4 + 0.26 * len(labels)), layout="constrained")
    axes = figure.subplots()
    places = range(len(labels))
    colors = [FAMILY_COLORS[family] for family in families]
    axes.barh(places, means, color=colors, height=0.72)
    for place, mean, spread in zip(places, means, spreads, strict=True):
        if spread:
            axes.errorbar(mean, place, xerr=spread, color="black", capsize=2, linewidth=1)
        axes.annotate(
            f"{mean:.3f}",
            (mean + (spread or 0), place),
            xytext=(5, 0),
            textcoords="offset points",
            va="center",
            fontsize=7,
        )
    floors = [mean for mean, family in zip(means, families, strict=True) if family == "floor"]
    if floors:
        axes.axvline(max(floors), color=GREY, linestyle="--", linewidth=1)
    axes.set_yticks(places, [shortened(label, _LONGEST) for label in labels], fontsize=8)
    axes.invert_yaxis()
    axes.set_xlim(0, max(1e-3, *means) * 1.14)
    axes.set_xlabel("VUS-PR (mean over entities; line: spread over seeds; dashed: best floor)")
    axes.set_title(title, loc="left", fontsize=10)
    axes.grid(axis="x", alpha=0.3)
    _family_legend(figure, families)
    return figure


def plot_critical_difference(
    labels: Sequence[str],
    mean_ranks: Sequence[float],
    families: Sequence[str],
    *,
    distance: float,
    reference: int | None,
    title: str,
) -> Figure:
    """Mean ranks, best on top, and how far apart they must be to differ by more than chance.

    Args:
        labels: Names of the methods.
        mean_ranks: 1 = best everywhere.
        families: Keys of `FAMILY_COLORS`.
        distance: The critical difference (Nemenyi).
        reference: Index of the method around which ranks that are not told apart are shaded.
        title: Of the figure.
    """
    order = sorted(range(len(labels)), key=lambda index: mean_ranks[index])
    figure = Figure(figsize=(8.5, 1.9 + 0.26 * len(labels)), layout="constrained")
    axes = figure.subplots()
    if reference is not None:
        center = mean_ranks[reference]
        axes.axvspan(center - distance, center + distance, color=BLUE, alpha=0.12)
    for place, index in enumerate(order):
        color, mean_rank = FAMILY_COLORS[families[index]], mean_ranks[index]
        axes.hlines(place, 1, mean_rank, color=color, alpha=0.25, linewidth=1)
        axes.plot(mean_rank, place, "o", color=color, markersize=5)
        axes.annotate(
            f"{mean_rank:.2f}",
            (mean_rank, place),
            xytext=(6, 0),
            textcoords="offset points",
            va="center",
            fontsize=7,
        )
    axes.errorbar(
        1 + distance / 2, -1.4, xerr=distance / 2, color="black", capsize=4, linewidth=1.5
    )
    axes.annotate(
        f"critical difference {distance:.2f}",
        (1 + distance, -1.4),
        xytext=(6, 0),
        textcoords="offset points",
        va="center",
        fontsize=8,
    )
    axes.set_yticks(
        range(len(order)), [shortened(labels[index], _LONGEST) for index in order], fontsize=8
    )
    axes.set_ylim(len(order) - 0.4, -2.2)
    axes.set_xlim(0.8, 1.08 * max(*mean_ranks, 1 + 1.6 * distance))
    axes.set_xlabel("mean rank over entities (VUS-PR; 1 = best on each)")
    told = "" if reference is None else f"; shaded: not told apart from {labels[reference]}"
    axes.set_title(title + told, loc="left", fontsize=10)
    axes.grid(axis="x", alpha=0.3)
    _family_legend(figure, families)
    return figure


def _family_legend(figure: Figure, families: Sequence[str]) -> None:
    present = [family for family in FAMILY_COLORS if family in families]
    handles = [Patch(color=FAMILY_COLORS[family], label=family) for family in present]
    figure.legend(handles=handles, loc="outside lower center", ncols=5, fontsize=8)
