"""`benchmark.md`: what the rows of a benchmark say, floors first."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import pandas as pd

from tsad_keras.reporting.comparison import (
    Named,
    View,
    as_they_are,
    best_posts,
    entity_table,
    make_view,
    mean_rows,
    same_post,
)
from tsad_keras.reporting.comparison_details import (
    costs_markdown,
    origin_markdown,
    tests_markdown,
)
from tsad_keras.reporting.explanations import METRIC_MEANINGS
from tsad_keras.reporting.tables import COLUMNS, markdown_table, number

_ORDER = (
    *("vus_pr_score", "vus_roc_score", "average_precision_score", "roc_auc_score"),
    *("best_f1_score", "f1_score", "affiliation_f1_score", "event_f1_score"),
    "best_point_adjusted_f1_score",
)
_METRICS = sorted(
    (column for column in COLUMNS if column.key in _ORDER),
    key=lambda column: _ORDER.index(column.key),
)
_RANKED = {column.key for column in _METRICS if column.is_ranked}


def comparison_markdown(
    frame: pd.DataFrame,
    methods: Sequence[Named],
    *,
    reference: str,
    shared_post: str,
    command: str,
    failures: Sequence[str],
    figures: Sequence[str],
    smooth_inside: Collection[str] = (),
) -> str:
    """The whole report.

    Args:
        frame: Rows of `results.csv`.
        methods: All methods that have rows, in the table's order.
        reference: The method that the others are compared with.
        shared_post: Name of the smoothing by which all are compared.
        command: The command line that made it.
        failures: A line for each task that failed.
        figures: Files beside it, relative.
        smooth_inside: Methods whose raw scores are smoothed as they come.

    Returns:
        Markdown that ends with a line break.
    """
    labels = {method.name: method.label for method in methods}
    main = [method.name for method in methods if method.family != "ablation"]
    shared = make_view(frame, as_they_are(same_post(frame, shared_post), smooth_inside), main)
    raw = make_view(frame, same_post(frame, "raw"), main)
    best = make_view(frame, as_they_are(best_posts(frame), smooth_inside), main)
    datasets = list(dict.fromkeys(frame["dataset"]))
    sections = [
        f"# Benchmark: {_scope(frame)}",
        _protocol(shared_post, labels.get(reference, reference)),
        "\n".join(f"- **failed**: {line}" for line in failures),
        _warnings(frame),
        "## With the shared smoothing\n\n" + _means(shared, methods, main),
        "\n\n".join(f"![]({name})" for name in figures),
        *(
            f"### {name} alone\n\n" + _means(_part(shared, name, main), methods, main)
            for name in (datasets if len(datasets) > 1 else ())
        ),
        "## Without any smoothing\n\n" + _means(raw, methods, main),
        "## With the best smoothing of each method (chosen by the labels)\n\n"
        "Every method has the same four to choose from, so this is the fairest to those for which "
        "the shared one is a bad choice. An oracle's choice all the same.\n\n"
        + _means(best, methods, main, with_post=True),
        "## VUS-PR of each entity, shared smoothing\n\n" + _entities(shared, labels, main),
        _ablations(shared, methods, reference),
        "## Are the differences more than chance?\n\n"
        + tests_markdown(shared, best, labels, reference, [m.name for m in methods]),
        "## Decisions and cost, shared smoothing\n\n" + costs_markdown(shared.frame, methods),
        "## What the numbers mean\n\n" + "\n".join(f"- {line}" for line in METRIC_MEANINGS),
        "## Command, seeds and versions\n\n" + origin_markdown(frame, command),
    ]
    return "\n\n".join(section for section in sections if section) + "\n"


def _scope(frame: pd.DataFrame) -> str:
    counts = frame.groupby("dataset", sort=False)["entity"].nunique()
    return ", ".join(
        f"{name} ({count} {'entity' if count == 1 else 'entities'})"
        for name, count in counts.items()
    )


def _protocol(shared_post: str, reference: str) -> str:
    return (
        "Every number is a mean over entities of means over seeds; ± is the standard deviation of "
        "the seeds' means. All methods have the same scaler, validation tail, threshold rule "
        "(without labels) and metric code; methods on long windows have the same window, stride "
        "and mean over the covering windows. Scores are computed once and then smoothed in each of "
        f"the ways that all are offered: not at all (raw), causally (ewma), forwards and backwards "
        f"(two; it looks ahead), as the mean of three causal scales ({shared_post}: the shared "
        "one), and that with the detector's bursts (burst). The fused score smooths inside and "
        "counts as it is everywhere (raw). "
        '"Calibrated": errors of features divided by what is typical of them on train, as the '
        "detector does. "
        f"Rank 1 is best; a win is an entity on which no method is better. {reference} is the "
        "method that the others are tested against. No method has seen a label."
    )


def _warnings(frame: pd.DataFrame) -> str:
    lines = []
    for name in ("version_tsad_keras", "version_tensorflow"):
        found = sorted(set(frame[name].astype(str)))
        if len(found) > 1:
            package = name.removeprefix("version_")
            lines.append(f"- rows come from several versions of {package}: {', '.join(found)}")
    seeds = frame.groupby(["dataset", "entity", "method"])["seed"].nunique().groupby("method")
    uneven = [method for method, counts in seeds if counts.nunique() > 1]
    if uneven:
        lines.append(f"- not every entity has all seeds yet: {', '.join(uneven)}")
    return "\n".join(lines)


def _part(view: View, dataset: str, main: Sequence[str]) -> View:
    return make_view(view.frame[view.frame["dataset"] == dataset], view.posts, main)


def _means(
    view: View, methods: Sequence[Named], shown: Sequence[str], with_post: bool = False
) -> str:
    rows = mean_rows(view.frame, [column.key for column in _METRICS])
    present = [method for method in methods if method.name in shown and method.name in rows]
    learnt = [rows[m.name]["mean"] for m in present if m.family != "floor"]
    best = {
        key: max((mean[key] for mean in learnt if mean[key] is not None), default=None)
        for key in _RANKED
    }
    most = max((row["num_entities"] for row in rows.values()), default=0)
    cells = []
    for method in present:
        row = rows[method.name]
        short = "" if row["num_entities"] == most else f" ({row['num_entities']} of {most})"
        line = [method.label + short]
        line += [view.posts[method.name]] if with_post else []
        texts = []
        for column in _METRICS:
            value = row["mean"][column.key]
            text = number(value, row["spread"][column.key])
            is_best = method.family != "floor" and value is not None
            is_best &= value == best.get(column.key)
            texts.append(f"**{text}**" if is_best else text)
        ranks = view.ranks
        texts[-1:-1] = [  # point adjustment stays last
            number(ranks.mean_rank.get(method.name), digits=2),
            str(ranks.wins.get(method.name, "–")),
        ]
        cells.append(line + texts)
    long = [column.long for column in _METRICS]
    headings = ["method", *(["smoothing"] if with_post else []), *long[:-1]]
    headings += ["mean rank", "wins", long[-1]]
    return markdown_table(headings, cells, left=2 if with_post else 1)


def _entities(view: View, labels: dict[str, str], main: Sequence[str]) -> str:
    table = entity_table(view.frame, main)
    floors = {"random", "always-alarm", "untrained"}
    cells = []
    for (dataset, entity), values in table.iterrows():
        top = max((v for name, v in values.items() if name not in floors and v == v), default=None)
        texts = [number(None if v != v else v) for v in values]
        cells.append(
            [
                f"{dataset} {entity}",
                *(
                    f"**{t}**" if v == top and n not in floors else t
                    for n, v, t in zip(table.columns, values, texts, strict=True)
                ),
            ]
        )
    return markdown_table(["entity", *(labels[name] for name in table.columns)], cells)


def _ablations(shared: View, methods: Sequence[Named], reference: str) -> str:
    names = [method.name for method in methods if method.family == "ablation"]
    if not names:
        return ""
    names = [reference, *names]
    posts = {name: post for name, post in shared.posts.items() if name in names}
    return (
        "## Ablations, shared smoothing\n\n"
        + _means(make_view(shared.frame, posts, names), methods, names)
        + "\n\nSmoothing off: see the tables without any smoothing. Ranks and wins are those among "
        "the rows of this table."
    )
