"""Inputs and the detector's own answers, kept in an export so that it can be verified anywhere."""

from __future__ import annotations

import numpy as np

from tsad_keras.detector import ContrastiveGANDetector


def make_reference(detector: ContrastiveGANDetector) -> dict[str, np.ndarray]:
    """Scores a made-up series in every way that the signatures can be asked for.

    The series wanders about the train mean, has gaps (also at its start), steps and spikes beyond
    the scaler's clip, so that every rule of the graph is met.

    Args:
        detector: A fitted detector.

    Returns:
        `series` (num_timesteps, num_features) float32 and `contribution` (same shape) of it;
        `scores_N` (N,) of its first N rows for several N; `window_scores` (3, window_size) of its
        first three windows; `batch_scores` (2, N) of its two overlapping halves; `causal_scores`
        (num_timesteps,).
    """
    size = detector.config.window_size
    series = _make_series(detector, 3 * size + size // 3 + 1)
    half = len(series) - size // 2
    arrays = {
        "series": series,
        "contribution": detector.explain(series),
        "window_scores": np.stack(
            [detector.decision_function(part) for part in np.split(series[: 3 * size], 3)]
        ),
        "batch_scores": np.stack(
            [detector.decision_function(part) for part in (series[:half], series[-half:])]
        ),
        "causal_scores": detector.decision_function(series, causal=True),
    }
    for length in (size, size + 1, 2 * size - 1, 2 * size, len(series)):
        arrays[f"scores_{length}"] = detector.decision_function(series[:length])
    return arrays


def _make_series(detector: ContrastiveGANDetector, num_timesteps: int) -> np.ndarray:
    rng = np.random.default_rng(0)
    shape = (num_timesteps, len(detector.feature_names_))
    values = np.cumsum(rng.normal(0, 0.2, shape), axis=0) + rng.normal(0, 0.5, shape)
    values[num_timesteps // 2 :] += 3.0  # a step
    values[:: max(2, num_timesteps // 7)] *= 20.0  # spikes, some beyond the clip
    values = values * detector.scaler_.scale_ + detector.scaler_.mean_
    values[rng.random(shape) < 0.05] = np.nan
    values[:3, 0] = np.nan
    return np.clip(values, -3e38, 3e38).astype(np.float32)
