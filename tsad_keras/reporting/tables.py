"""The result table, as Markdown and as plain text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

Row = dict[str, Any]


class Column(NamedTuple):
    """A metric in the table: its key, short and long heading, and whether the best is marked."""

    key: str
    short: str
    long: str
    is_ranked: bool


COLUMNS = (
    Column("vus_pr_score", "VUS-PR", "VUS-PR", True),
    Column("vus_roc_score", "VUS-ROC", "VUS-ROC", True),
    Column("average_precision_score", "AP", "AP", True),
    Column("roc_auc_score", "AUC", "ROC-AUC", True),
    Column("best_f1_score", "bestF1*", "best F1 (oracle)", True),
    # Always-alarm has recall 1, and one lucky alarm precision 1: neither is worth a mark.
    Column("precision_score", "prec", "precision", False),
    Column("recall_score", "recall", "recall", False),
    Column("f1_score", "F1", "F1", True),
    Column("event_f1_score", "evF1", "event F1", True),
    Column("affiliation_f1_score", "affF1", "affiliation F1", False),
    Column("best_point_adjusted_f1_score", "PA-F1!", "PA-F1 (oracle, inflated)", False),
)

WINDOW_LEVEL_NAMES = {
    "precision_score": "precision",
    "recall_score": "recall",
    "f1_score": "F1",
    "roc_auc_score": "ROC-AUC",
}

_METHOD_WIDTH = 25


def number(value: float | None, spread: float | None = None, digits: int = 3) -> str:
    """A number for a table cell, a dash for none.

    Example:
        >>> number(0.87654), number(0.5, 0.01), number(None)
        ('0.877', '0.500 ± 0.010', '–')
    """
    if value is None:
        return "–"
    text = f"{value:.{digits}f}"
    return text if spread is None else f"{text} ± {spread:.{digits}f}"


def significant(value: float | None, digits: int = 4) -> str:
    """A number of any size with so many significant digits.

    Example:
        >>> significant(0.000123456), significant(1234567.0), significant(None)
        ('0.0001235', '1.235e+06', '–')
    """
    return "–" if value is None else f"{value:.{digits}g}"


def percent(value: float | None) -> str:
    """A share as a percentage with two decimals.

    Example:
        >>> percent(0.005)
        '0.50 %'
    """
    return "–" if value is None else f"{100 * value:.2f} %"


def markdown_table(headings: Sequence[str], rows: Sequence[Sequence[str]], left: int = 1) -> str:
    """A Markdown table whose first `left` columns are aligned left, the others right.

    Example:
        >>> print(markdown_table(["a", "b"], [["x|y", "1"]]))
        | a | b |
        | :-- | --: |
        | x\\|y | 1 |
    """
    rule = [":--" if index < left else "--:" for index in range(len(headings))]
    lines = [list(headings), rule, *[[_escaped(cell) for cell in row] for row in rows]]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def result_markdown(rows: list[Row]) -> str:
    """The metrics of every method; the best of a ranked column, floors aside, in bold."""
    best = best_values(rows)
    cells = []
    for row in rows:
        line = [f"**{row['method']}**" if row["is_detector"] else row["method"]]
        for column in COLUMNS:
            value = row["metrics"].get(column.key)
            text = number(value, row.get("metrics_spread", {}).get(column.key))
            is_best = not row["is_floor"] and value is not None and value == best[column.key]
            line.append(f"**{text}**" if is_best else text)
        cells.append(line)
    return markdown_table(["method", *[column.long for column in COLUMNS]], cells)


def decision_cells(rows: list[Row]) -> list[list[str]]:
    """Method, threshold, alarm rates and seconds as texts, a line for each row."""
    return [
        [
            row["method"],
            significant(row.get("threshold")),
            percent(row["alarm_rate"]),
            percent(row["expected_false_alarm_rate"]),
            percent(row["false_alarm_rate"]),
            number(row["fit_seconds"], digits=1),
            number(row["score_seconds"], digits=1),
        ]
        for row in rows
    ]


def decisions_markdown(rows: list[Row]) -> str:
    """Alarm rates and seconds of every method."""
    headings = ["method", "threshold", "alarmed steps", "false-alarm rate, expected"]
    headings += ["false-alarm rate, actual", "fit, s", "score, s"]
    return markdown_table(headings, decision_cells(rows))


def result_text(rows: list[Row]) -> str:
    """The metrics of every method as aligned plain text, less than 100 characters wide."""
    widths = [max(len(column.short), 5) + 1 for column in COLUMNS]
    lines = ["method".ljust(_METHOD_WIDTH) + _aligned([c.short for c in COLUMNS], widths)]
    lines.append("-" * len(lines[0]))
    for row in rows:
        values = [number(row["metrics"].get(column.key)) for column in COLUMNS]
        lines.append(row["method"].ljust(_METHOD_WIDTH) + _aligned(values, widths))
        spreads = row.get("metrics_spread")
        if spreads:
            cells = [number(spreads.get(column.key)) for column in COLUMNS]
            lines.append("  +- over seeds".ljust(_METHOD_WIDTH) + _aligned(cells, widths))
    return "\n".join(lines)


def rates_text(rows: list[Row]) -> str:
    """Alarm rates and seconds of every method as aligned plain text."""
    headings = ["alarmed", "false alarms", "expected", "fit s", "score s"]
    widths = [10, 14, 10, 9, 9]
    lines = ["method".ljust(_METHOD_WIDTH) + _aligned(headings, widths)]
    lines.append("-" * len(lines[0]))
    for row in rows:
        rates = ("alarm_rate", "false_alarm_rate", "expected_false_alarm_rate")
        cells = [percent(row[name]) for name in rates]
        cells += [number(row[name], digits=1) for name in ("fit_seconds", "score_seconds")]
        lines.append(row["method"].ljust(_METHOD_WIDTH) + _aligned(cells, widths))
    return "\n".join(lines)


def detector_row(rows: list[Row]) -> Row:
    """The row of the detector."""
    return next(row for row in rows if row["is_detector"])


def best_baseline_row(rows: list[Row], key: str = "vus_pr_score") -> Row | None:
    """The baseline with the highest value of a metric, floors included; None without labels."""
    known = [row for row in rows if not row["is_detector"] and row["metrics"].get(key) is not None]
    return max(known, key=lambda row: row["metrics"][key], default=None)


def best_values(rows: list[Row]) -> dict[str, float | None]:
    """The highest value of each ranked column, floors aside; None for the other columns."""
    return {column.key: _best(rows, column) for column in COLUMNS}


def _best(rows: list[Row], column: Column) -> float | None:
    values = [row["metrics"].get(column.key) for row in rows if not row["is_floor"]]
    known = [value for value in values if value is not None]
    return max(known) if column.is_ranked and known else None


def _aligned(cells: Sequence[str], widths: Sequence[int]) -> str:
    return "".join(cell.rjust(width) for cell, width in zip(cells, widths, strict=True))


def _escaped(cell: str) -> str:
    return cell.replace("|", "\\|").replace("\n", " ")
