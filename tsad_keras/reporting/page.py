"""`report.html`: one page with everything inside that needs no network.

Style, scripts and data stand in the file itself, and its content security policy names the
hashes of just these, so that nothing else can run and nothing can be loaded.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Sequence
from html import escape
from importlib import resources
from typing import Any

from tsad_keras.reporting import page_html as parts
from tsad_keras.reporting.explanations import DRIFT_MEANING, METRIC_MEANINGS, THRESHOLD_RULES
from tsad_keras.reporting.headline import headline
from tsad_keras.reporting.mean_markdown import averaging_text
from tsad_keras.reporting.page_curves import training_curves
from tsad_keras.reporting.page_data import page_data
from tsad_keras.reporting.published import (
    audit_warning,
    published_cells,
    published_rows,
    why_not_comparable,
)
from tsad_keras.reporting.scored_series import ScoredSeries
from tsad_keras.reporting.tables import WINDOW_LEVEL_NAMES, number, percent, significant
from tsad_keras.version import __version__

Summary = dict[str, Any]

_SCRIPTS = ("decode.js", "times.js", "plot.js", "chart.js", "gestures.js", "alarms.js", "main.js")


def run_page(summary: Summary, series: ScoredSeries, history: Sequence[dict[str, float]]) -> str:
    """The page of one run.

    Args:
        summary: As in `results_summary.json`; where there are no labels, rows have no metrics.
        series: The rows that were scored.
        history: The losses, one dict an epoch.

    Returns:
        A whole HTML document.
    """
    data = summary["dataset"]
    title = f"{data['name']}, {data['entity']}" if data["name"] != data["entity"] else data["name"]
    curves = training_curves(history, summary["best_epoch"])
    if summary.get("ensemble"):
        count = summary["ensemble"]["members"]
        curves = f'<p class="quiet">Of the first of the {count} members.</p>{curves}'
    body = [
        _header(title, summary),
        _asset("chart.html"),
        _result(summary),
        _section("training", "Training losses by epoch", curves),
        _section("facts", "Data, threshold and drift", _facts(summary)),
        _section("settings", "Settings", parts.settings(summary)),
    ]
    return _document(title, body, page_data(summary, series))


def mean_page(summary: Summary) -> str:
    """The page over several runs: means, and every run on a line with a link to its own page."""
    title = f"{summary['dataset']['name']}: {averaging_text(summary)}"
    body = [
        _header(title, summary),
        _result(summary),
        _section("runs", "VUS-PR of each run", _runs(summary)),
        _section("settings", "Settings", parts.settings(summary)),
    ]
    return _document(title, body, None)


def _header(title: str, summary: Summary) -> str:
    names = {"result": "Result", "settings": "Settings"}
    if summary["kind"] == "run":
        names = {"scores": "Scores", "alarms": "Alarms", "result": "Result"}
        names |= {"training": "Training", "facts": "Data", "settings": "Settings"}
    links = "".join(f'<a href="#{name}">{text}</a>' for name, text in names.items())
    return (
        f"<header><h1>{escape(title)}</h1><nav aria-label='Sections'>{links}</nav></header>\n"
        f"{parts.notes(summary)}\n{parts.cards(summary)}\n"
        f'<div class="headline">{parts.paragraphs(headline(summary))}</div>'
    )


def _result(summary: Summary) -> str:
    rows = summary["methods"]
    content = [parts.decisions_table(rows)]
    if summary["dataset"]["has_labels"]:
        meanings = "".join(f"<li>{parts.rich_text(text)}</li>" for text in METRIC_MEANINGS)
        content = [
            parts.result_table(rows),
            '<p class="quiet">Bold: best of its column, floors aside. Shaded columns used the '
            "labels to choose their threshold, out of reach in practice; PA-F1 proves nothing: "
            "compare the Random row.</p>",
            _window_level(summary.get("window_level")),
            _published(summary),
            *content,
            f"<details><summary>What the numbers mean</summary><ul>{meanings}</ul></details>",
        ]
    else:
        content.insert(0, "<p>No labels: there is nothing to measure the alarms by.</p>")
    return _section("result", "Result", "\n".join(content))


def _window_level(window_level: Summary | None) -> str:
    """The window-level protocol's numbers; empty text where it was not run."""
    if not window_level or not window_level["metrics"]:
        return ""
    spread = window_level.get("metrics_spread", {})
    values = [number(window_level["metrics"][key], spread.get(key)) for key in WINDOW_LEVEL_NAMES]
    counts = f"{window_level['num_windows']:g} windows, {window_level['num_anomalous']:g} anomalous"
    headings = ["window level, threshold without labels", *WINDOW_LEVEL_NAMES.values()]
    return parts.table(headings, [[counts, *values]])


def _published(summary: Summary) -> str:
    """Published numbers and, for a result too good to believe, a warning; or why there are none."""
    data, rows = summary["dataset"], summary["methods"]
    reason = why_not_comparable(data)
    if reason or not published_rows(data["name"]):
        return f"<p>{escape(reason)}</p>" if reason else ""
    warning = audit_warning(data["name"], rows)
    cells = [
        [f"{metric}: {method} ({source})", published, ours]
        for metric, method, published, ours, source in published_cells(data["name"], rows)
    ]
    table = parts.table(["published, without point adjustment", "there", "here"], cells)
    return table + (f'<p class="note warning">{escape(warning)}</p>' if warning else "")


def _facts(summary: Summary) -> str:
    data, threshold, drift = summary["dataset"], summary["threshold"], summary["drift"]
    rows = [
        ("rows that were scored", f"{data['num_test']:,}"),
        ("training rows", "unknown" if data["num_train"] is None else f"{data['num_train']:,}"),
        ("features", f"{data['num_features']:,}"),
        ("missing values", percent(data["missing_test"])),
        ("threshold", significant(threshold["value"])),
        *(
            [("threshold in effect", significant(threshold["in_effect"]))]
            if threshold["in_effect"] > threshold["value"]
            else []
        ),
        ("rule", threshold["method"]),
        ("false-alarm rate, expected", percent(threshold["expected_false_alarm_rate"])),
        (
            "best epoch" + (", first member" if summary.get("ensemble") else ""),
            f"{summary['best_epoch']} of {summary['num_epochs']}",
        ),
        ("mean shift of the features", number(drift["mean_shift"])),
    ]
    if data["test_starts"] is not None:
        rows[:0] = [("first row", data["test_starts"]), ("last row", data["test_ends"])]
    rule = f"Rule {threshold['method']}: {THRESHOLD_RULES[threshold['method']]}."
    farthest = [
        [worst["feature"], *(significant(worst[k]) for k in ("shift", "train_mean", "test_mean"))]
        for worst in drift["worst_features"]
    ]
    headings = ["farthest from training", "distance", "train mean", "mean of the scored rows"]
    return (
        f'{parts.definitions(rows)}<p class="quiet">{escape(rule)} Shift: '
        f"{parts.rich_text(DRIFT_MEANING[0].lower() + DRIFT_MEANING[1:])}</p>"
        f"{parts.table(headings, farthest) if farthest else ''}"
    )


def _runs(summary: Summary) -> str:
    methods = [row["method"] for row in summary["methods"] if not row["is_floor"]]
    headings = ["entity", "seed", *methods, "detector, F1 (label-free)"]
    rows = [
        [
            run["entity"],
            str(run["seed"]),
            *(number(run["vus_pr_score"].get(name)) for name in methods),
            number(run["detector_f1_score"]),
        ]
        for run in summary["runs"]
    ]
    addresses = [f"{run['folder']}/report.html" for run in summary["runs"]]
    return parts.linked_table(headings, rows, addresses)


def _section(name: str, title: str, content: str) -> str:
    return (
        f'<section id="{name}" aria-labelledby="{name}-title"><h2 id="{name}-title">'
        f"{escape(title)}</h2>\n{content}\n</section>"
    )


def _document(title: str, body: list[str], data: dict[str, Any] | None) -> str:
    style = _asset("page.css")
    script = "\n".join(_asset(name) for name in _SCRIPTS) if data is not None else ""
    script = f'"use strict";\n(() => {{\n{script}}})();\n' if script else ""
    sources = {"script-src": script, "style-src": style}
    policy = ["default-src 'none'", "img-src data:", "base-uri 'none'", "form-action 'none'"]
    policy += [f"{name} {_hash(text)}" for name, text in sources.items()]
    values = {
        "policy": "; ".join(policy),
        "generator": f"tsad_keras {__version__}",
        "title": escape(title),
        "style": style,
        "body": f"<main>\n{chr(10).join(body)}\n</main>\n<footer>tsad_keras {__version__}</footer>",
        "data": "" if data is None else _data_block(data),
        "script": f"<script>{script}</script>" if script else "",
    }
    # One pass, so that what was put in is never searched for names again.
    return re.sub(r"\{\{(\w+)\}\}", lambda match: values[match[1]], _asset("page.html"))


def _data_block(data: dict[str, Any]) -> str:
    """JSON that no name can break out of: it holds no `<`, `>` and `&`, and ASCII only."""
    text = json.dumps(data, separators=(",", ":"), allow_nan=False)
    for character in "<>&":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return f'<script type="application/json" id="data">{text}</script>'


def _hash(text: str) -> str:
    """The policy's word for a script or style with just this text; 'none' for no text."""
    if not text:
        return "'none'"
    digest = base64.b64encode(hashlib.sha256(text.encode("utf-8")).digest()).decode("ascii")
    return f"'sha256-{digest}'"


def _asset(name: str) -> str:
    folder = resources.files("tsad_keras.reporting") / "assets"
    return (folder / name).read_text(encoding="utf-8")
