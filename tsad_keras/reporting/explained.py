"""The section of a report on how well explanations name the true features."""

from __future__ import annotations

from typing import Any

from tsad_keras.reporting.explanations import EXPLANATION_MEANING
from tsad_keras.reporting.tables import markdown_table, number


def explanations_markdown(explanations: dict[str, Any] | None) -> str:
    """How well explanations name the true features; empty text where these are not known."""
    if not explanations:
        return ""
    columns = {
        "hit_rate_100": "HitRate@100 %",
        "ndcg_5": "NDCG@5",
        "peak_hit_rate_100": "at the peak: HitRate@100 %",
        "peak_ndcg_5": "NDCG@5",
    }
    rows = [
        [row["ranking"], *(number(row[key], row.get("spread", {}).get(key)) for key in columns)]
        for row in explanations["rows"]
    ]
    return (
        f"## Explanations\n\n{explanations['num_segments']:.4g} segments with "
        f"{explanations['mean_features']:.3g} true features of {explanations['num_features']:.4g} "
        f"on average. {EXPLANATION_MEANING}\n\n" + markdown_table(["by", *columns.values()], rows)
    )
