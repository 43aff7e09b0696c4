"""Inputs and the detector's own answers, kept in an export so that it can be verified anywhere."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from tsad_keras.detector import ContrastiveGANDetector, EnsembleDetector
from tsad_keras.detector.networks import memory_errors, squared_means

Detector = ContrastiveGANDetector | EnsembleDetector


def make_reference(
    detector: Detector, *, seed: int = 0, num_windows: int = 3
) -> dict[str, np.ndarray]:
    """Scores a made-up series in every way that the signatures can be asked for.

    The series wanders about the train mean, has gaps (also at its start), steps and spikes beyond
    the scaler's clip, so that every rule of the graph is met.

    Args:
        detector: A fitted detector or ensemble.
        seed: Of the series.
        num_windows: Length of the series in windows; a third of a window is added.

    Returns:
        `series` (num_timesteps, num_features) float32 and `contribution` (same shape) of it;
        `quiet_series` (2 window_size, num_features), nothing at first and then little, and
        `quiet_scores` (2 window_size,);
        `scores_N` (N,) of its first N rows for several N; `window_scores` (num_windows,
        window_size) of its first windows, and what `reconstruct` says of these; `batch_scores`
        (2, N) of its two overlapping halves; `causal_scores` (num_timesteps,); `scale`
        (num_features,) what the scaler divides by.
    """
    size = detector.config.window_size
    series = _make_series(detector, num_windows * size + size // 3 + 1, seed)
    half = len(series) - size // 2
    windows = series[: num_windows * size].reshape(num_windows, size, -1)
    quiet = _make_quiet_series(detector, seed)
    arrays = {
        "series": series,
        "quiet_series": quiet,
        "quiet_scores": detector.decision_function(quiet),
        "contribution": detector.explain(series),
        "window_scores": np.stack([detector.decision_function(window) for window in windows]),
        "batch_scores": np.stack(
            [detector.decision_function(part) for part in (series[:half], series[-half:])]
        ),
        "causal_scores": detector.decision_function(series, causal=True),
        "scale": detector.scaler_.scale_,
        **_reconstruct(detector, windows),
    }
    for length in (size, size + 1, 2 * size - 1, 2 * size, len(series)):
        arrays[f"scores_{length}"] = detector.decision_function(series[:length])
    return arrays


def _reconstruct(detector: Detector, windows: np.ndarray) -> dict[str, np.ndarray]:
    if not isinstance(detector, EnsembleDetector):
        return _reconstruct_single(detector, windows)
    made = [_reconstruct_single(member, windows) for member in detector.members_]
    means = {
        name: np.mean([outputs[name] for outputs in made], axis=0)
        for name in made[0]
        if name != "embedding"
    }
    return {**means, "embedding": np.concatenate([o["embedding"] for o in made], axis=1)}


def _reconstruct_single(
    detector: ContrastiveGANDetector, windows: np.ndarray
) -> dict[str, np.ndarray]:
    scaled = np.stack([detector.scaler_.transform(window) for window in windows])
    made = detector.networks_.autoencoder(scaled, training=False)
    logits = detector.networks_.discriminator(scaled, training=False)["logits"].numpy()
    reconstruction = made["reconstruction"].numpy()
    patterns = levels = forecast_errors = np.zeros_like(scaled)
    if detector.autoregression_ is not None:
        forecast_errors = detector.autoregression_.squared_errors(tf.constant(scaled)).numpy()
    if detector.memory_ is not None:
        remembered = memory_errors(detector.config, detector.memory_)(tf.constant(scaled))
        patterns, levels = np.split(remembered.numpy(), 2, axis=2)
    return {
        "reconstruction": reconstruction * detector.scaler_.scale_ + detector.scaler_.mean_,
        "squared_error": (scaled - reconstruction) ** 2,
        "forecast_error": forecast_errors,
        "shift_error": np.broadcast_to(squared_means(tf.constant(scaled)), scaled.shape),
        "pattern_error": patterns,
        "level_error": levels,
        "realism": 1.0 / (1.0 + np.exp(-logits[:, 0].astype(np.float64))),
        "embedding": made["embedding"].numpy(),
    }


def _make_series(detector: Detector, num_timesteps: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    shape = (num_timesteps, len(detector.feature_names_))
    values = np.cumsum(rng.normal(0, 0.2, shape), axis=0) + rng.normal(0, 0.5, shape)
    values[num_timesteps // 2 :] += 3.0  # a step
    values[:: max(2, num_timesteps // 7)] *= 20.0  # spikes, some beyond the clip
    values = values * detector.scaler_.scale_ + detector.scaler_.mean_
    values[rng.random(shape) < 0.05] = np.nan
    values[:3, 0] = np.nan
    return np.clip(values, -3e38, 3e38).astype(np.float32)


def _make_quiet_series(detector: Detector, seed: int) -> np.ndarray:
    size, scaler = detector.config.window_size, detector.scaler_
    values = np.random.default_rng(seed).normal(0, 0.1, (2 * size, len(scaler.mean_)))
    values = values * scaler.scale_ + scaler.mean_
    values[:size] = np.nan
    return np.clip(values, -3e38, 3e38).astype(np.float32)
