"""What several tests share: quiet TensorFlow, a tiny series, a tiny fitted detector."""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import pytest

TINY = {
    "window_size": 20,
    "patch_size": 5,
    "score_stride": 10,
    "hidden_dim": 16,
    "num_heads": 2,
    "intermediate_dim": 32,
    "num_layers": 1,
    "discriminator_dim": 16,
    "projection_dim": 8,
    "latent_dim": 4,
    "batch_size": 8,
    "epochs": 3,
    "steps_per_epoch": 6,
    "smoothing_span": 5,
    "score_batch_size": 16,
}


def _make_series(num_timesteps=600, num_features=3, seed=0):
    rng = np.random.default_rng(seed)
    time = np.arange(num_timesteps)[:, None]
    phases = np.arange(num_features)
    waves = np.sin(time / 5 + phases) * (1 + phases) + 10 * phases
    return waves + rng.normal(0, 0.1, (num_timesteps, num_features))


@pytest.fixture(scope="session")
def make_series():
    """Function: waves with noise, `(num_timesteps, num_features)`."""
    return _make_series


@pytest.fixture(scope="session")
def tiny_config():
    """Settings of a detector that trains in a second; do not change, copy."""
    return dict(TINY)


@pytest.fixture(scope="session")
def tiny_detector(tiny_config):
    """A fitted tiny detector with all parts of the score; do not fit it again."""
    from tsad_keras import ContrastiveGANDetector

    detector = ContrastiveGANDetector(**tiny_config, score_mode="combined", seed=5)
    return detector.fit(_make_series(), verbose=False)


@pytest.fixture
def eagerly():
    """Runs tf.functions without tracing them first, which takes longer than a few steps do."""
    import tensorflow as tf

    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)
