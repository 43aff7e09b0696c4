"""Tables, notes and cards of a page. Every text from outside is escaped here."""

from __future__ import annotations

import re
from collections.abc import Sequence
from html import escape
from typing import Any

from tsad_keras.config import Config
from tsad_keras.reporting.tables import (
    COLUMNS,
    Row,
    best_baseline_row,
    best_values,
    detector_row,
    number,
    percent,
    significant,
)

Summary = dict[str, Any]

# Columns that used the labels to choose a threshold, and one that proves nothing at all.
_MARKS = {"best_f1_score": "oracle", "best_point_adjusted_f1_score": "oracle, inflated"}


def rich_text(text: str) -> str:
    """Escaped text with Markdown's `**bold**` and code; nothing else of Markdown.

    Example:
        >>> rich_text("**F1** of `<b>`")
        '<strong>F1</strong> of <code>&lt;b&gt;</code>'
    """
    safe = re.sub(r"\*\*(.+?)\*\*", r"<strong>\1</strong>", escape(text))
    return re.sub(r"`(.+?)`", r"<code>\1</code>", safe)


def paragraphs(texts: Sequence[str]) -> str:
    """Paragraphs of `rich_text`."""
    return "\n".join(f"<p>{rich_text(text)}</p>" for text in texts)


def table(headings: Sequence[str], rows: Sequence[Sequence[str]], left: int = 1) -> str:
    """A table of plain text whose first `left` columns are words, the others numbers."""
    head = "".join(
        f'<th scope="col"{_number_class(index, left)}>{escape(text)}</th>'
        for index, text in enumerate(headings)
    )
    lines = [
        "<tr>"
        + "".join(f"<td{_number_class(i, left)}>{escape(cell)}</td>" for i, cell in enumerate(row))
        + "</tr>"
        for row in rows
    ]
    return f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>' + (
        "\n".join(lines) + "</tbody></table></div>"
    )


def result_table(rows: list[Row]) -> str:
    """The metrics of every method, floors first as they come; oracle columns are marked."""
    best = best_values(rows)
    head = ['<th scope="col">method</th>']
    for column in COLUMNS:
        mark = _MARKS.get(column.key)
        name = column.long.partition(" (")[0]
        badge = f'<span class="badge">{mark}</span>' if mark else ""
        kind = "number oracle" if mark else "number"
        head.append(f'<th scope="col" class="{kind}">{_unbroken(name)}{badge}</th>')
    lines = [_result_line(row, best) for row in rows]
    return (
        f'<div class="scroll"><table class="results"><thead><tr>{"".join(head)}</tr></thead>'
        f"<tbody>{''.join(lines)}</tbody></table></div>"
    )


def decisions_table(rows: list[Row]) -> str:
    """Alarm rates and seconds of every method."""
    headings = ["method", "threshold", "alarmed rows", "false alarms, expected"]
    headings += ["false alarms, actual", "fit, s", "score, s"]
    cells = [
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
    return table(headings, cells)


def cards(summary: Summary) -> str:
    """The few numbers that a reader looks for first."""
    rows = summary["methods"]
    ours, rival = detector_row(rows), best_baseline_row(rows)
    parts = []
    if rival is not None:
        note = f"best of the others: {number(rival['metrics']['vus_pr_score'])} ({rival['method']})"
        parts.append(("VUS-PR", number(ours["metrics"]["vus_pr_score"]), note))
        f1_note = f"precision {number(ours['metrics']['precision_score'])}, recall "
        f1_note += number(ours["metrics"]["recall_score"])
        parts.append(("F1, label-free threshold", number(ours["metrics"]["f1_score"]), f1_note))
    if summary["kind"] == "run":
        groups = f"in {summary['num_alarm_groups']:,} groups"
        parts.append(("Alarms", f"{summary['num_alarms']:,}", groups))
    expected = percent(ours["expected_false_alarm_rate"])
    if ours["false_alarm_rate"] is None:
        note = f"{expected} expected on normal data"
        parts.append(("Alarmed rows", percent(ours["alarm_rate"]), note))
    else:
        note = f"of the normal rows; {expected} expected"
        parts.append(("False alarms", percent(ours["false_alarm_rate"]), note))
    items = (
        f"<div><dt>{escape(name)}</dt><dd><b>{escape(value)}</b><small>{escape(note)}</small>"
        "</dd></div>"
        for name, value, note in parts
    )
    return f'<dl class="cards">{"".join(items)}</dl>'


def notes(summary: Summary) -> str:
    """Notes on the data and warnings, to be read before any number."""
    texts = [f"**Note on the data:** {note}" for note in summary["dataset"]["notes"]]
    kinds = ["note"] * len(texts) + ["note warning"] * len(summary["warnings"])
    texts += [f"**Warning:** {warning}" for warning in summary["warnings"]]
    return "\n".join(
        f'<p class="{kind}">{rich_text(text)}</p>' for kind, text in zip(kinds, texts, strict=True)
    )


def settings(summary: Summary) -> str:
    """Every setting, those that are not the default marked, and the versions."""
    defaults = Config().to_dict()
    items = []
    for name, value in summary["config"].items():
        is_changed = defaults.get(name) != value
        kind = ' class="changed"' if is_changed else ""
        mark = f"<small>default {escape(str(defaults.get(name)))}</small>" if is_changed else ""
        items.append(f"<div{kind}><dt>{escape(name)}</dt><dd>{escape(str(value))}{mark}</dd></div>")
    versions = "".join(
        f"<div><dt>{escape(name)}</dt><dd>{escape(version)}</dd></div>"
        for name, version in summary["versions"].items()
    )
    return (
        f'<dl class="settings">{"".join(items)}</dl><h3>Versions</h3>'
        f'<dl class="settings">{versions}</dl>'
    )


def _result_line(row: Row, best: dict[str, float | None]) -> str:
    kind = "floor" if row["is_floor"] else "detector" if row["is_detector"] else ""
    badge = '<span class="badge">floor</span>' if row["is_floor"] else ""
    cells = [f'<th scope="row">{escape(row["method"])}{badge}</th>']
    for column in COLUMNS:
        value = row["metrics"].get(column.key)
        text = escape(number(value, row.get("metrics_spread", {}).get(column.key)))
        if not row["is_floor"] and value is not None and value == best[column.key]:
            text = f"<strong>{text}</strong>"
        mark = "number oracle" if column.key in _MARKS else "number"
        cells.append(f'<td class="{mark}">{text}</td>')
    return f'<tr class="{kind}">{"".join(cells)}</tr>'


def _unbroken(name: str) -> str:
    """Escaped, with hyphens at which no line ends."""
    return escape(name).replace("-", "&#8209;")


def _number_class(index: int, left: int) -> str:
    return "" if index < left else ' class="number"'
