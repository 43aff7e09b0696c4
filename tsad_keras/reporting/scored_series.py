"""A series with its scores and alarms: what lists, pages and figures of alarms are made from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class ScoredSeries:
    """Rows that were scored, and what the scores are judged by.

    Attributes:
        values: `(num_timesteps, num_features)` raw values, NaN = missing.
        feature_names: Names of the columns, length num_features.
        train_mean: `(num_features,)` means of the training rows.
        contributions: `(num_timesteps, num_features)`; rows sum to the scores.
        scores: `(num_timesteps,)`.
        predictions: `(num_timesteps,)` 0/1.
        timestamps: `(num_timesteps,)` or None.
        labels: `(num_timesteps,)` 0/1, or None if unknown.
    """

    values: np.ndarray
    feature_names: tuple[str, ...]
    train_mean: np.ndarray
    contributions: np.ndarray
    scores: np.ndarray
    predictions: np.ndarray
    timestamps: np.ndarray | None = None
    labels: np.ndarray | None = None

    @property
    def num_timesteps(self) -> int:
        """Number of rows."""
        return len(self.scores)
