"""Parts of `benchmark.md`: tests, decisions and cost, where the numbers come from."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from tsad_keras.reporting.comparison import (
    LEAST_ENTITIES,
    Named,
    View,
    critical_difference,
    entity_table,
    mean_rows,
    wilcoxon_holm,
)
from tsad_keras.reporting.tables import markdown_table, number, percent


def tests_markdown(
    shared: View,
    best: View,
    labels: dict[str, str],
    reference: str,
    names: Sequence[str],
) -> str:
    """The reference against the others, and how far apart mean ranks must be.

    Args:
        shared: All methods with the shared smoothing.
        best: All methods, each with its best.
        labels: Of the methods.
        reference: The method that is compared with the others.
        names: Of the methods, in the table's order.
    """
    num_entities = shared.frame[["dataset", "entity"]].drop_duplicates().shape[0]
    if num_entities < LEAST_ENTITIES:
        return f"{num_entities} of at least {LEAST_ENTITIES} entities: too few for Wilcoxon's test."
    if reference not in shared.posts:
        return f"{reference} has no rows, and it is what the others are tested against."
    parts = []
    for title, view in (("Shared smoothing", shared), ("Best smoothing of each method", best)):
        tested = wilcoxon_holm(entity_table(view.frame, names), reference)
        cells = [
            [
                labels[row["method"]],
                str(row["num_entities"]),
                f"{row['mean_difference']:+.3f}",
                f"{row['num_better']} : {row['num_worse']}",
                f"{row['p_value']:.4f}",
                f"{row['p_holm']:.4f}" + (" *" if row["p_holm"] < 0.05 else ""),
            ]
            for row in tested
        ]
        headings = ["against", "entities", "mean difference", "better : worse"]
        headings += ["p (Wilcoxon)", "p (Holm)"]
        parts.append(f"{title}:\n\n" + markdown_table(headings, cells))
    ranks = shared.ranks
    if ranks.num_entities >= LEAST_ENTITIES and len(ranks.mean_rank) > 1:
        distance = critical_difference(len(ranks.mean_rank), ranks.num_entities)
        parts.append(
            f"Nemenyi: on {ranks.num_entities} entities, mean ranks of {len(ranks.mean_rank)} "
            f"methods differ at the 5 % level from {distance:.2f} on."
        )
    intro = f"{labels[reference]} against each other method, VUS-PR, two-sided; * p < 0.05."
    return "\n\n".join([intro, *parts])


def costs_markdown(frame: pd.DataFrame, methods: Sequence[Named]) -> str:
    """Alarm rates, seconds and memory of every method."""
    columns = ["alarm_rate", "false_alarm_rate", "fit_seconds", "score_seconds"]
    rows = mean_rows(frame, columns)
    memory = frame.groupby(["method", "dataset", "entity"])["peak_memory_mb"].min()
    cells = []
    for method in methods:
        if method.name not in rows:
            continue
        mean = rows[method.name]["mean"]
        peak = memory[method.name].max()
        cells.append(
            [
                method.label,
                percent(mean["alarm_rate"]),
                percent(mean["false_alarm_rate"]),
                number(mean["fit_seconds"], digits=1),
                number(mean["score_seconds"], digits=1),
                "–" if pd.isna(peak) else f"{peak:,.0f}",
                str(rows[method.name]["num_seeds"]),
            ]
        )
    headings = ["method", "alarmed steps", "false-alarm rate", "fit, s", "score, s"]
    headings += ["peak memory, MB", "seeds"]
    note = (
        "Seconds on one thread, the threshold's validation scores included in the fit (a detector "
        "also fits the threshold of its causal scores). Memory is the peak of the process of one "
        "run, with the interpreter and its libraries; the largest over the entities. Methods that "
        "are scored from one fit share its cost."
    )
    return markdown_table(headings, cells) + "\n\n" + note


def origin_markdown(frame: pd.DataFrame, command: str) -> str:
    """The command, the seeds and the versions behind the rows."""
    seeds = ", ".join(str(seed) for seed in sorted(set(frame["seed"])))
    versions = [
        f"{name.removeprefix('version_')} {', '.join(sorted(set(frame[name].astype(str))))}"
        for name in frame
        if name.startswith("version_")
    ]
    lines = [f"```\n{command}\n```"] if command else []
    lines += [
        f"Seeds {seeds}; methods that are not random run once. Versions: {'; '.join(versions)}. "
        "All rows: `results.csv`.",
    ]
    return "\n\n".join(lines)
