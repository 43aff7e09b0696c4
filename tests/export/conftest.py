"""Detectors and exports that several tests share."""

import numpy as np
import pytest


def _untrained(mean=0.0, scale=1.0, num_features=3, **settings):
    """A detector whose networks have their initial weights; ready to score, made in no time."""
    from tsad_keras import ContrastiveGANDetector
    from tsad_keras.detector.networks import build_networks
    from tsad_keras.scaling import Scaler

    detector = ContrastiveGANDetector(**settings)
    detector.feature_names_ = tuple(f"f{index}" for index in range(num_features))
    detector.scaler_ = Scaler(detector.config.clip)
    detector.scaler_.mean_ = np.linspace(mean, 2 * mean, num_features)
    detector.scaler_.scale_ = np.full(num_features, float(scale))
    detector.scaler_.weight_ = np.ones(num_features)
    detector._set_networks(build_networks(detector.config, num_features), None, None)
    detector.error_scale_ = np.linspace(0.5, 2.0, num_features)
    scales = _remember(detector, num_features)
    normal = np.random.default_rng(2).normal(size=(4 * detector.config.window_size, num_features))
    detector._choose_levels([normal.astype(np.float32)], scales)
    detector.threshold_ = detector.causal_threshold_ = detector.window_threshold_ = 2.5
    detector.score_level_ = detector.causal_score_level_ = 1.0
    detector.expected_false_alarm_rate_ = 0.01
    return detector


def _remember(detector, num_features):
    """Forecast and memory of a made-up random walk, as the settings ask; scales of all views."""
    from tsad_keras.levels import view_scales
    from tsad_keras.models.autoregression import fit_autoregression
    from tsad_keras.models.memory import build_memory

    config, random = detector.config, np.random.default_rng(1)
    train = np.cumsum(random.normal(0, 0.3, (5 * config.window_size, num_features)), axis=0)
    series, autoregression, memory = [train.astype(np.float32)], None, None
    if config.forecast_lags:
        autoregression = fit_autoregression(series, config.forecast_lags)
    if config.has_memory:
        sizes = {name: getattr(config, name) for name in ("pattern_size", "memory_size")}
        memory = build_memory(series, window_size=config.window_size, **sizes)
    detector._set_networks(detector.networks_, autoregression, memory)
    return view_scales(
        detector.error_scale_,
        np.linspace(0.1, 0.4, num_features) if config.forecast_lags else None,
        np.linspace(0.3, 0.1, num_features) if config.has_shift else None,
    )


@pytest.fixture(scope="session")
def untrained():
    """Function: an untrained detector with any settings."""
    return _untrained


@pytest.fixture(scope="session")
def default_detector(tiny_config):
    """The score of the default preset: fused."""
    return _untrained(**tiny_config, mean=100.0, scale=4.0)


@pytest.fixture(scope="session")
def exported(tiny_detector, tmp_path_factory):
    """Version 1 of the tiny detector (combined score), with a TFLite file; do not change, copy."""
    from tsad_keras.export.writer import export_saved_model

    folder = tmp_path_factory.mktemp("exports") / "tiny"
    return export_saved_model(tiny_detector, folder, tflite=True)


@pytest.fixture(scope="session")
def default_exported(default_detector, tmp_path_factory):
    """Version 1 of the default-like detector."""
    from tsad_keras.export.writer import export_saved_model

    return export_saved_model(default_detector, tmp_path_factory.mktemp("exports") / "default")


@pytest.fixture(scope="session")
def make_values():
    """Function: raw float32 values with gaps, also at the start, and spikes beyond the clip."""

    def make(detector, *shape, seed=0, gaps=0.1):
        rng = np.random.default_rng(seed)
        values = rng.normal(0, 2, (*shape, len(detector.feature_names_)))
        values[rng.random(values.shape) < 0.01] *= 100
        values = values * detector.scaler_.scale_ + detector.scaler_.mean_
        values[rng.random(values.shape) < gaps] = np.nan
        if gaps:
            values[..., :2, 0] = np.nan
        return values.astype(np.float32)

    return make
