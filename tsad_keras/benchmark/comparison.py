"""`benchmark.md` and its figures, from the rows that are there."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from tsad_keras.benchmark.registry import DEFAULT, methods
from tsad_keras.errors import InputError
from tsad_keras.files import atomic_write
from tsad_keras.plots import plot_critical_difference, plot_means, save_figure
from tsad_keras.reporting.comparison import (
    LEAST_ENTITIES,
    MAIN,
    Named,
    View,
    as_they_are,
    critical_difference,
    make_view,
    mean_rows,
    same_post,
)
from tsad_keras.reporting.comparison_markdown import comparison_markdown

REPORT = "benchmark.md"
MEANS, RANKS = "figures/vus_pr.png", "figures/critical_difference.png"


def write_comparison(
    rows: Sequence[dict[str, Any]],
    folder: Path,
    *,
    command: str = "",
    failures: Sequence[str] = (),
) -> Path:
    """Writes the report over all rows, whichever run they come from.

    Args:
        rows: As in `results.csv`.
        folder: Where the report goes.
        command: The command line that made it.
        failures: A line for each task that failed.

    Returns:
        Path of the report.

    Raises:
        InputError: If there are no rows, or the folder cannot be written to.
    """
    if not rows:
        first = f", the first failure: {failures[0]}" if failures else ""
        raise InputError(f"no run has ended well, expected at least one to report{first}")
    frame = pd.DataFrame(rows)
    for name in frame:  # a column of Nones only is no column of numbers yet
        if not name.startswith("version_") and frame[name].isna().all():
            frame[name] = frame[name].astype(float)
    known = methods()
    present = [known[name] for name in known if name in set(frame["method"])]
    named = [Named(method.name, method.family, method.label) for method in present]
    shared = next((p for p in frame["post"] if p.startswith("scales")), "raw")
    main = [method for method in named if method.family != "ablation"]
    smooth_inside = [method.name for method in present if method.is_fused]
    posts = as_they_are(same_post(frame, shared), smooth_inside)
    view = make_view(frame, posts, [method.name for method in main])
    figures = _draw(view, main or named, folder)
    text = comparison_markdown(
        frame,
        named,
        reference=DEFAULT,
        shared_post=shared,
        command=command,
        failures=failures,
        figures=figures,
        smooth_inside=smooth_inside,
    )
    path = folder / REPORT
    with atomic_write(path) as file:
        file.write(text)
    return path


def _draw(view: View, shown: Sequence[Named], folder: Path) -> list[str]:
    """Saves the figures; returns their names."""
    rows = mean_rows(view.frame, [MAIN])
    drawn = [method for method in shown if method.name in rows]
    num_entities = view.frame[["dataset", "entity"]].drop_duplicates().shape[0]
    title = "1 entity" if num_entities == 1 else f"{num_entities} entities"
    # A mean over fewer entities is no bar beside the others.
    whole = [method for method in drawn if rows[method.name]["num_entities"] == num_entities]
    if whole and (fewer := len(drawn) - len(whole)):
        title += f", without {fewer} that {'has' if fewer == 1 else 'have'} fewer"
    barred = whole or drawn
    figure = plot_means(
        [method.label for method in barred],
        [rows[method.name]["mean"][MAIN] for method in barred],
        [rows[method.name]["spread"][MAIN] for method in barred],
        [method.family for method in barred],
        f"{title}, shared smoothing",
    )
    save_figure(figure, folder / MEANS)
    ranks = view.ranks
    if ranks.num_entities < LEAST_ENTITIES or len(ranks.mean_rank) < 2:
        (folder / RANKS).unlink(missing_ok=True)
        return [MEANS]
    ranked = [method for method in drawn if method.name in ranks.mean_rank]
    names = [method.name for method in ranked]
    figure = plot_critical_difference(
        [method.label for method in ranked],
        [ranks.mean_rank[name] for name in names],
        [method.family for method in ranked],
        distance=critical_difference(len(names), ranks.num_entities),
        reference=names.index(DEFAULT) if DEFAULT in names else None,
        title=f"{ranks.num_entities} entities",
    )
    save_figure(figure, folder / RANKS)
    return [MEANS, RANKS]
