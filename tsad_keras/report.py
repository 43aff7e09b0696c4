"""The result on the terminal."""

from __future__ import annotations

import textwrap
from typing import Any

from tsad_keras.reporting.headline import headline
from tsad_keras.reporting.mean_markdown import averaging_text
from tsad_keras.reporting.published import (
    audit_warning,
    published_rows,
    published_text,
    why_not_comparable,
)
from tsad_keras.reporting.tables import WINDOW_LEVEL_NAMES, rates_text, result_text

_WIDTH = 98
_FOOTNOTES = (
    "* threshold chosen by the test labels (oracle), out of reach in practice. prec, recall, F1, "
    "evF1 (events), affF1 (affiliation): at the threshold chosen without labels.",
    "! oracle and inflated: one alarmed step counts as a whole event; compare the Random row.",
)


def format_result(result: dict[str, Any]) -> str:
    """The result of `reproduce` or `reproduce_entity` as plain text.

    Args:
        result: What these functions return.

    Returns:
        Lines of about 100 characters; the last ones tell where the files lie.
    """
    data = result["dataset"]
    is_mean = result["kind"] == "mean"
    where = averaging_text(result) if is_mean else f"{data['entity']}, seed {result['seed']}"
    parts = [f"{data['name']}: {where}"]
    parts += [_wrapped(f"NOTE ON THE DATA: {note}") for note in data["notes"]]
    if data["has_labels"]:
        parts.append(result_text(result["methods"]) + "\n" + "\n".join(map(_wrapped, _FOOTNOTES)))
    parts.append(rates_text(result["methods"]))
    parts.append(_window_level(result["window_level"]))
    parts.append(_comparison(result))
    parts.append("\n".join(_wrapped(line.replace("**", "")) for line in headline(result)))
    parts += [_wrapped(f"WARNING: {warning}") for warning in result["warnings"]]
    parts.append(_where_files_lie(result))
    return "\n\n".join(part for part in parts if part)


def print_table(result: dict[str, Any]) -> None:
    """Prints `format_result` on standard output."""
    print(format_result(result))


def _comparison(result: dict[str, Any]) -> str:
    """Published numbers and, for a result too good to believe, a warning; or why there are none."""
    name, rows = result["dataset"]["name"], result["methods"]
    reason = why_not_comparable(result["dataset"])
    if reason or not published_rows(name):
        return _wrapped(reason)
    text = "Published, without point adjustment:\n" + published_text(name, rows)
    warning = audit_warning(name, rows)
    return f"{text}\n\n{_wrapped(warning)}" if warning else text


def _window_level(window_level: dict[str, Any] | None) -> str:
    if not window_level or not window_level["metrics"]:
        return ""
    spread = window_level.get("metrics_spread", {})
    texts = []
    for key, name in WINDOW_LEVEL_NAMES.items():
        text = f"{name} {window_level['metrics'][key]:.3f}"
        texts.append(text + (f" +- {spread[key]:.3f}" if key in spread else ""))
    return (
        f"Window level ({window_level['num_windows']:g} windows, "
        f"{window_level['num_anomalous']:g} anomalous, label-free threshold): {', '.join(texts)}"
    )


def _where_files_lie(result: dict[str, Any]) -> str:
    folder = result["folder"]
    lines = [
        ("report", "report.html"),
        ("the same as text", "report.md"),
        ("numbers", "results_summary.json"),
    ]
    if result["kind"] == "run":
        lines += [("scores and alarms", "scores.csv"), ("figures", "figures/")]
        lines += [("model", "model/"), ("losses", "history.csv"), ("settings", "config.json")]
    else:
        lines.append(("single runs", f"in {len(result['runs'])} folders, linked in the report"))
    texts = [
        f"  {name:<18} {text if name == 'single runs' else f'{folder}/{text}'}"
        for name, text in lines
    ]
    return "Everything lies in " + folder + ":\n" + "\n".join(texts)


def _wrapped(text: str) -> str:
    return textwrap.fill(text, _WIDTH, subsequent_indent="  ")
