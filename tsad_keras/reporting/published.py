"""Numbers of others on the published data, each with its source in words.

Only what was read in the paper or in the project's own file, or measured by this project, stands
here; second-hand numbers do not.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from tsad_keras.reporting.tables import Row, detector_row, markdown_table, number

READ = "read in its paper or own files"
TAB = f"{READ} (TAB)"  # a benchmark that ran the method on the published PSM
MEASURED = "measured by this project"


class Published(NamedTuple):
    """One number of one method."""

    key: str
    method: str
    value: float
    source: str


METRIC_NAMES = {
    "best_f1_score": "best F1 (oracle)",
    "roc_auc_score": "ROC-AUC",
    "average_precision_score": "AP (AUC-PR)",
    "vus_pr_score": "VUS-PR",
    "affiliation_f1_score": "affiliation F1",
}

PSM = (
    Published("best_f1_score", "always alarm (floor)", 0.4345, MEASURED),
    Published("best_f1_score", "PCA error", 0.538, READ),
    Published("best_f1_score", "NPSR", 0.648, READ),
    Published("best_f1_score", "TranAD", 0.649, READ),
    Published("roc_auc_score", "HBOS", 0.773, TAB),
    Published("average_precision_score", "LSTM", 0.584, TAB),
    Published("vus_pr_score", "random", 0.302, MEASURED),
    Published("vus_pr_score", "LSTM", 0.523, TAB),
    Published("affiliation_f1_score", "CATCH", 0.859, TAB),
)

# Above these a result on PSM is more likely a mistake than a discovery.
_PSM_AUDIT = {"best_f1_score": 0.65, "average_precision_score": 0.58}


def published_rows(dataset_name: str) -> tuple[Published, ...]:
    """The published numbers of a dataset; empty where none are known first-hand."""
    return PSM if dataset_name == "psm" else ()


def why_not_comparable(data: dict[str, Any]) -> str:
    """One sentence if published numbers exist but say nothing about these data, else empty text.

    Args:
        data: The facts of a result's `dataset`.
    """
    if data["is_stand_in"] and published_rows(data["name"]):
        return (
            "No comparison with published numbers: the features are a stand-in (see the note on "
            "the data), so these numbers say nothing about the published data."
        )
    if not data["has_labels"] and published_rows(data["name"]):
        return "No comparison with published numbers: there are no labels."
    return ""


def published_markdown(dataset_name: str, rows: list[Row]) -> str:
    """A table of the published numbers beside the detector's."""
    headings = ["metric", "method", "published", "here", "source"]
    return markdown_table(headings, published_cells(dataset_name, rows), left=2)


def published_text(dataset_name: str, rows: list[Row]) -> str:
    """The same as aligned plain text."""
    return "\n".join(
        f"{name:<18}{method:<22}{value:>6}  here {ours:>6}  {source}"
        for name, method, value, ours, source in published_cells(dataset_name, rows)
    )


def audit_warning(dataset_name: str, rows: list[Row]) -> str:
    """A warning if a result is too good to be believed without an audit, else empty text."""
    if dataset_name != "psm":
        return ""
    metrics = detector_row(rows)["metrics"]
    high = [
        f"{METRIC_NAMES[key]} {metrics[key]:.3f} is above {limit}"
        for key, limit in _PSM_AUDIT.items()
        if metrics.get(key) is not None and metrics[key] > limit
    ]
    if not high:
        return ""
    return f"{' and '.join(high)}, the best known on PSM: audit this result before believing it."


def published_cells(dataset_name: str, rows: list[Row]) -> list[tuple[str, str, str, str, str]]:
    """Metric, method, published number, the detector's here, and source of each."""
    metrics = detector_row(rows)["metrics"]
    return [
        (METRIC_NAMES[p.key], p.method, f"{p.value:.4g}", number(metrics.get(p.key)), p.source)
        for p in published_rows(dataset_name)
    ]
