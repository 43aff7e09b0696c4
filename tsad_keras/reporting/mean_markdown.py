"""`report.md` of several runs: means over entities and seeds, and every run on a line."""

from __future__ import annotations

from typing import Any

from tsad_keras.reporting.explained import explanations_markdown
from tsad_keras.reporting.explanations import METRIC_MEANINGS
from tsad_keras.reporting.headline import headline, notes_markdown
from tsad_keras.reporting.markdown import (
    comparison_markdown,
    settings_markdown,
    window_level_markdown,
)
from tsad_keras.reporting.tables import (
    decisions_markdown,
    markdown_table,
    number,
    result_markdown,
)


def mean_markdown(summary: dict[str, Any]) -> str:
    """The report over several runs.

    Args:
        summary: As in the top-level `results_summary.json`.

    Returns:
        Markdown that ends with a line break.
    """
    data, rows = summary["dataset"], summary["methods"]
    labelled = data["has_labels"]
    sections = [
        f"# {data['name']}: {averaging_text(summary)}",
        notes_markdown(summary),
        *headline(summary),
        "## Result",
        result_markdown(rows) if labelled else "",
        comparison_markdown(summary),
        window_level_markdown(summary["window_level"]),
        decisions_markdown(rows),
        explanations_markdown(summary["explanations"]),
        "## VUS-PR of each run\n\n" + _runs(summary),
        "## What the numbers mean\n\n" + "\n".join(f"- {line}" for line in METRIC_MEANINGS)
        if labelled
        else "",
        "## Settings and versions\n\n" + settings_markdown(summary),
    ]
    return "\n\n".join(section for section in sections if section) + "\n"


def averaging_text(summary: dict[str, Any]) -> str:
    """Says over what the numbers are means, and what the spread is.

    Example:
        >>> averaging_text({"dataset": {"entities": ["a", "b"]}, "seeds": [0]})
        'mean over 2 entities'
    """
    num_entities, num_seeds = len(summary["dataset"]["entities"]), len(summary["seeds"])
    parts = []
    if num_entities > 1:
        parts.append(f"mean over {num_entities} entities")
    if num_seeds > 1:
        parts.append(f"mean over {num_seeds} seeds ± their standard deviation")
    return ", ".join(parts)


def _runs(summary: dict[str, Any]) -> str:
    methods = [row["method"] for row in summary["methods"] if not row["is_floor"]]
    headings = ["entity", "seed", *methods, "detector, F1 (label-free)"]
    cells = []
    for run in summary["runs"]:
        link = f"[{run['entity']}]({run['folder']}/report.md)"
        values = [number(run["vus_pr_score"].get(name)) for name in methods]
        cells.append([link, str(run["seed"]), *values, number(run["detector_f1_score"])])
    return markdown_table(headings, cells, left=2)
