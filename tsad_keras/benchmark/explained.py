"""How well `explain` names the features that true segments touch, beside z-scores and chance."""

from __future__ import annotations

from typing import Any

import numpy as np

from tsad_keras.datasets.base import TimeSeriesDataset
from tsad_keras.detector import ContrastiveGANDetector, EnsembleDetector
from tsad_keras.evaluation import hit_rate_score, ndcg_score, segment_contributions

RANDOM_ORDER = "Random order"
Z_SCORE = "Squared z-score"
EXPLANATION_METRICS = ("hit_rate_100", "ndcg_5", "peak_hit_rate_100", "peak_ndcg_5")


def explanation_facts(
    dataset: TimeSeriesDataset,
    detector: ContrastiveGANDetector | EnsembleDetector,
    contributions: np.ndarray,
    label: str,
) -> dict[str, Any] | None:
    """Judges the contributions by the features that the dataset's segments list.

    Args:
        dataset: The data.
        detector: Fitted on its training part; gives the z-scores (its scaler's).
        contributions: `(num_test, num_features)`, what `explain` gave for the test part.
        label: Name of the detector's row.

    Returns:
        `num_segments`, `mean_features` (touched by a segment on average), `num_features`, and
        `rows`, one dict a ranking with `ranking` and `EXPLANATION_METRICS`; None where no segment
        lists features.
    """
    segments = [segment for segment in dataset.test_segments if segment.features]
    if not segments:
        return None
    events = np.array([(segment.start, segment.end) for segment in segments])
    truth = np.zeros((len(segments), dataset.num_features), bool)
    for row, segment in enumerate(segments):
        truth[row, list(segment.features)] = True
    z_scores = detector.scaler_.transform(dataset.test).astype(np.float64)
    rankings = {
        # Equal contributions share their ranks: exactly the mean over all orders.
        RANDOM_ORDER: np.ones_like(z_scores),
        Z_SCORE: np.square(z_scores) / detector.scaler_.weight_,  # flags like other features
        label: contributions,
    }
    return {
        "num_segments": len(segments),
        "num_features": dataset.num_features,
        "mean_features": float(truth.sum(axis=1).mean()),
        "rows": [
            {"ranking": name, **judge_ranking(events, truth, values)}
            for name, values in rankings.items()
        ],
    }


def judge_ranking(events: np.ndarray, truth: np.ndarray, values: np.ndarray) -> dict[str, float]:
    """The four numbers of one ranking.

    Args:
        events: `(num_segments, 2)` first row and row after the last.
        truth: `(num_segments, num_features)`, True where a segment touches a feature.
        values: `(num_timesteps, num_features)`; larger = more to blame.

    Returns:
        HitRate@100 % and NDCG@5 of the means over each segment, and of the one time step in each
        segment whose values sum to the most (`peak_`).
    """
    totals = values.sum(axis=1)
    peaks = [start + int(np.argmax(totals[start:end])) for start, end in events]
    means = segment_contributions(events, values)
    return {
        "hit_rate_100": hit_rate_score(truth, means),
        "ndcg_5": ndcg_score(truth, means, k=5),
        "peak_hit_rate_100": hit_rate_score(truth, values[peaks]),
        "peak_ndcg_5": ndcg_score(truth, values[peaks], k=5),
    }
