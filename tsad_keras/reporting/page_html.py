"""Tables, notes and cards of a page. Every text from outside is escaped here."""

from __future__ import annotations

import re
from collections.abc import Sequence
from html import escape
from typing import Any
from urllib.parse import quote

from tsad_keras.config import Config
from tsad_keras.reporting.tables import (
    COLUMNS,
    Row,
    best_baseline_row,
    best_values,
    decision_cells,
    detector_row,
    number,
    percent,
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


def table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table of plain text: the first column names the row, the others are numbers."""
    lines = [_line(escape(row[0]), row[1:]) for row in rows]
    return _table(headings, lines)


def linked_table(
    headings: Sequence[str], rows: Sequence[Sequence[str]], addresses: Sequence[str]
) -> str:
    """The same with the name of each row a link to a relative address."""
    lines = [
        _line(f'<a href="{quote(address)}">{escape(row[0])}</a>', row[1:])
        for row, address in zip(rows, addresses, strict=True)
    ]
    return _table(headings, lines)


def definitions(pairs: Sequence[tuple[str, str]]) -> str:
    """Names and their values in columns."""
    items = (f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>" for name, value in pairs)
    return f'<dl class="settings">{"".join(items)}</dl>'


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
    return table(headings, decision_cells(rows))


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
    return (
        f'<dl class="settings">{"".join(items)}</dl><h3>Versions</h3>'
        f"{definitions(list(summary['versions'].items()))}"
    )


def _result_line(row: Row, best: dict[str, float | None]) -> str:
    kind = "floor" if row["is_floor"] else "detector" if row["is_detector"] else ""
    badge = '<span class="badge">floor</span>' if row["is_floor"] else ""
    cells = [f'<th scope="row">{escape(row["method"])}{badge}</th>']
    for column in COLUMNS:
        value = row["metrics"].get(column.key)
        spread = row.get("metrics_spread", {}).get(column.key)
        text = escape(number(value))
        if not row["is_floor"] and value is not None and value == best[column.key]:
            text = f"<strong>{text}</strong>"
        if spread is not None:
            text += f"<small>± {number(spread)}</small>"
        mark = "number oracle" if column.key in _MARKS else "number"
        cells.append(f'<td class="{mark}">{text}</td>')
    return f'<tr class="{kind}">{"".join(cells)}</tr>'


def _unbroken(name: str) -> str:
    """Escaped, with hyphens at which no line ends."""
    return escape(name).replace("-", "&#8209;")


def _line(name: str, values: Sequence[str]) -> str:
    cells = "".join(f'<td class="number">{escape(value)}</td>' for value in values)
    return f'<tr><th scope="row">{name}</th>{cells}</tr>'


def _table(headings: Sequence[str], lines: Sequence[str]) -> str:
    head = f'<th scope="col">{escape(headings[0])}</th>' + "".join(
        f'<th scope="col" class="number">{escape(text)}</th>' for text in headings[1:]
    )
    return (
        f'<div class="scroll"><table><thead><tr>{head}</tr></thead>'
        f"<tbody>{''.join(lines)}</tbody></table></div>"
    )
