"""The contamination study's means and changes, and their figure."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from tsad_keras.benchmark.contamination import CLEAN
from tsad_keras.benchmark.registry import DEFAULT, methods
from tsad_keras.plots.comparison import FAMILY_COLORS
from tsad_keras.reporting.comparison import PLACE, mean_rows

MARKERS = "osD^vPX*<>"
CONDITION = ("kind", "rate")
Condition = tuple[str, float]


def percent(rate: float) -> str:
    """A share, as it is written in tables: 0.01 is `1 %`."""
    return f"{100 * rate:g} %"


@dataclasses.dataclass(frozen=True)
class Point:
    """One method under one condition.

    Attributes:
        mean: Over entities, of means over seeds.
        spread: Standard deviation of the seeds' means; None of one seed.
        change: Mean difference to the clean training data, entity by entity and seed by seed.
        change_spread: As `spread`, of the differences.
        num_entities: Those that count.
    """

    mean: float
    spread: float | None
    change: float
    change_spread: float | None
    num_entities: int


Curves = dict[str, dict[Condition, Point]]


def make_curves(frame: pd.DataFrame, column: str, conditions: Sequence[Condition]) -> Curves:
    """Points by method and condition.

    Args:
        frame: Rows of `contamination.csv` with one post.
        column: What to average.
        conditions: An entity counts for a method that has all of them there.
    """
    curves: Curves = {}
    frame = frame[[*PLACE, "method", *CONDITION, "seed", column]].dropna()
    for method, rows in frame.groupby("method", sort=False):
        counts = rows.groupby(PLACE)[list(CONDITION)].apply(
            lambda part: len(part.drop_duplicates())
        )
        whole = counts.index[counts == len(conditions)]
        rows = rows[pd.MultiIndex.from_frame(rows[PLACE]).isin(whole)]
        if rows.empty:
            continue
        rows = rows.assign(change=rows[column] - _clean_values(rows, column))
        curves[method] = {}
        for kind, rate in conditions:
            part = rows[(rows["kind"] == kind) & (rows["rate"] == rate)]
            found = mean_rows(part, [column, "change"])[method]
            curves[method][kind, rate] = Point(
                mean=found["mean"][column],
                spread=found["spread"][column],
                change=found["mean"]["change"],
                change_spread=found["spread"]["change"],
                num_entities=found["num_entities"],
            )
    return {name: curves[name] for name in methods() if name in curves}


def _clean_values(rows: pd.DataFrame, column: str) -> list[float]:
    """For each row of a method, what it has on the clean training data."""
    clean = rows[rows["kind"] == CLEAN].set_index([*PLACE, "seed"])[column].to_dict()
    # A model that is not random has one clean result, which belongs to every seed.
    only = {place[:-1]: value for place, value in reversed(clean.items())}
    places = rows[[*PLACE, "seed"]].itertuples(index=False, name=None)
    return [clean.get(place, only[place[:-1]]) for place in places]


def draw(curves: Curves, conditions: Sequence[Condition], post: str) -> Figure:
    """Means above, changes below; a column of panels a kind, a line a method.

    Args:
        curves: As `make_curves` gives them.
        conditions: The clean one first.
        post: Name of the smoothing, for the title.
    """
    kinds = list(dict.fromkeys(kind for kind, _ in conditions[1:]))
    figure = Figure(figsize=(1 + 6.2 * len(kinds), 9.5), layout="constrained")
    panels = figure.subplots(2, len(kinds), sharex=True, sharey="row", squeeze=False)
    for column, kind in enumerate(kinds):
        shown = [condition for condition in conditions if condition[0] in (CLEAN, kind)]
        panels[0, column].set_title(f"{kind} anomalies", loc="left", fontsize=11)
        for row, field in enumerate(("mean", "change")):
            _draw_panel(panels[row, column], curves, shown, field)
    panels[0, 0].set_ylabel("VUS-PR (mean over entities)")
    panels[1, 0].set_ylabel("change of VUS-PR against clean training data")
    for axes in panels[1]:
        axes.axhline(0, color="black", linewidth=0.8, zorder=0)
        axes.set_xlabel("share of training rows that are anomalous")
    for axes in panels.flat:
        _label_ends(axes)
    families = {methods()[name].family for name in curves}
    handles = [Patch(color=FAMILY_COLORS[f], label=f) for f in FAMILY_COLORS if f in families]
    figure.legend(handles=handles, loc="outside lower center", ncols=5, fontsize=8)
    figure.suptitle(f"Anomalies in the training data (smoothing {post})", fontsize=11)
    return figure


def _draw_panel(axes: Axes, curves: Curves, conditions: Sequence[Condition], field: str) -> None:
    rates = [rate for _, rate in conditions]
    for index, (name, points) in enumerate(curves.items()):
        method = methods()[name]
        axes.plot(
            rates,
            [getattr(points[condition], field) for condition in conditions],
            color=FAMILY_COLORS[method.family],
            marker=MARKERS[index % len(MARKERS)],
            markersize=5,
            linewidth=2.6 if name == DEFAULT else 1.1,
            label=method.label,
        )
    axes.set_xticks(rates, [percent(rate) for rate in rates])
    axes.grid(alpha=0.3)


def _label_ends(axes: Axes) -> None:
    """Names each line at its right end, moved apart where ends lie close."""
    low, high = axes.get_ylim()
    lines = [line for line in axes.get_lines() if not line.get_label().startswith("_")]
    lines.sort(key=lambda line: line.get_ydata()[-1])
    ends = [(line.get_ydata()[-1] - low) / (high - low) for line in lines]
    for line, end, place in zip(lines, ends, _apart(ends, 0.036), strict=True):
        axes.annotate(
            line.get_label(),
            xy=(1.0 - 0.045, end),
            xytext=(1.03, place),
            xycoords="axes fraction",
            textcoords="axes fraction",
            color=line.get_color(),
            fontsize=8,
            fontweight="bold" if line.get_linewidth() > 2 else "normal",
            va="center",
            arrowprops={
                **{"arrowstyle": "-", "color": line.get_color(), "linewidth": 0.5},
                **{"relpos": (0, 0.5), "shrinkA": 1, "shrinkB": 3},
            },
        )


def _apart(places: Sequence[float], least: float) -> list[float]:
    """Ascending places, moved as little as need be so that neighbours are `least` apart.

    Example:
        >>> [round(place, 2) for place in _apart([0.1, 0.5, 0.5], 0.2)]
        [0.1, 0.4, 0.6]
    """
    groups: list[list[float]] = []  # each of neighbours that touch: sum of centres, number
    for place in places:
        groups.append([place, 1])
        while len(groups) > 1:
            (first, m), (second, n) = groups[-2:]
            if second / n - first / m >= least * (m + n) / 2:
                break
            groups[-2:] = [[first + second, m + n]]
    return [
        total / count + least * (index - (count - 1) / 2)
        for total, count in groups
        for index in range(int(count))
    ]
