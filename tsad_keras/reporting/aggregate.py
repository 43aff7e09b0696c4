"""Means over entities and seeds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

Run = dict[str, Any]

_MAX_NAMED = 10
_METHOD_NUMBERS = (
    "alarm_rate",
    "expected_false_alarm_rate",
    "false_alarm_rate",
    "fit_seconds",
    "score_seconds",
)


def mean_methods(runs: list[Run]) -> list[dict[str, Any]]:
    """One row a method: means and, for several seeds, their spread.

    A value is first averaged over the entities of a seed, then over the seeds; the spread is the
    standard deviation (n - 1) of the seeds' means. Runs without labels have no metrics and do not
    count there.

    Args:
        runs: Summaries of single runs, each with `seed` and `methods`; all have the same methods.

    Returns:
        Rows as in a run's `methods`, with `metrics`, `metrics_spread` (empty for one seed) and the
        means of rates and seconds; thresholds have no mean.
    """
    rows = []
    for index, first in enumerate(runs[0]["methods"]):
        row = {key: first[key] for key in ("method", "is_detector", "is_floor")}
        row["metrics"], row["metrics_spread"] = _mean_metrics(
            runs, lambda run, at=index: run["methods"][at]["metrics"]
        )
        for name in _METHOD_NUMBERS:
            row[name], _ = _mean_and_spread(
                [(run["seed"], run["methods"][index][name]) for run in runs]
            )
        rows.append(row)
    return rows


def mean_window_level(runs: list[Run]) -> dict[str, Any] | None:
    """Means of the window-level protocol's metrics, as `mean_methods`; None if no run has them."""
    runs = [run for run in runs if run["window_level"] and run["window_level"]["metrics"]]
    if not runs:
        return None
    metrics, spread = _mean_metrics(runs, lambda run: run["window_level"]["metrics"])
    counts = {
        name: float(np.mean([run["window_level"][name] for run in runs]))
        for name in ("num_windows", "num_anomalous", "stride")
    }
    return {**counts, "metrics": metrics, "metrics_spread": spread}


def mean_explanations(runs: list[Run]) -> dict[str, Any] | None:
    """Means of the numbers on explanations, as `mean_methods`; None if no run has them.

    Each row of a ranking also gets `spread`, a dict like its numbers (empty for one seed).
    """
    found = [(run["seed"], run["explanations"]) for run in runs if run["explanations"]]
    if not found:
        return None
    rows = []
    for index, first in enumerate(found[0][1]["rows"]):
        row: dict[str, Any] = {"ranking": first["ranking"], "spread": {}}
        for name in first:
            if name != "ranking":
                values = [(seed, facts["rows"][index][name]) for seed, facts in found]
                row[name], spread = _mean_and_spread(values)
                if spread is not None:
                    row["spread"][name] = spread
        rows.append(row)
    counts = {
        name: float(np.mean([facts[name] for _, facts in found]))
        for name in ("num_segments", "num_features", "mean_features")
    }
    return {**counts, "rows": rows}


def mean_warnings(runs: list[Run]) -> list[str]:
    """One line that names the entities whose runs have warnings; empty if none has."""
    warned = [run for run in runs if run["warnings"]]
    if not warned:
        return []
    names = list(dict.fromkeys(run["dataset"]["entity"] for run in warned))
    shown = ", ".join(names[:_MAX_NAMED]) + (" ..." if len(names) > _MAX_NAMED else "")
    return [
        f"in {len(warned)} of {len(runs)} runs normal behaviour seems to have changed since the "
        f"training ({shown}): expect more false alarms than stated; their own reports say more."
    ]


def _mean_metrics(
    runs: list[Run], metrics_of: Callable[[Run], dict[str, float]]
) -> tuple[dict[str, float], dict[str, float]]:
    names = next((list(metrics_of(run)) for run in runs if metrics_of(run)), [])
    means, spreads = {}, {}
    for name in names:
        values = [(run["seed"], metrics_of(run).get(name)) for run in runs]
        means[name], spread = _mean_and_spread(values)
        if spread is not None:
            spreads[name] = spread
    return means, spreads


def _mean_and_spread(
    values: list[tuple[int, float | None]],
) -> tuple[float | None, float | None]:
    """Mean over seeds of the means over entities, and the standard deviation of the latter."""
    by_seed: dict[int, list[float]] = {}
    for seed, value in values:
        if value is not None:
            by_seed.setdefault(seed, []).append(value)
    if not by_seed:
        return None, None
    means = [float(np.mean(each)) for each in by_seed.values()]
    spread = float(np.std(means, ddof=1)) if len(means) > 1 else None
    return float(np.mean(means)), spread
