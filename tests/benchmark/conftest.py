"""A small data set, small settings, and made-up rows."""

import pytest

from tsad_keras.benchmark.rows import FIELDS, VERSIONS
from tsad_keras.benchmark.worker import METRICS

SIZES = {"num_train": 600, "num_test": 400, "num_features": 4}
SETTINGS = {
    "window_size": 20,
    "score_stride": 10,
    "epochs": 1,
    "steps_per_epoch": 2,
    "hidden_dim": 16,
    "num_heads": 2,
    "num_layers": 1,
    "intermediate_dim": 16,
    "discriminator_dim": 16,
    "discriminator_layers": 2,
    "projection_dim": 8,
    "latent_dim": 4,
    "batch_size": 8,
    "false_alarm_rate": 0.05,
    "smoothing_span": 5,
}


def _make_row(dataset="smd", entity="a", method="pca-error", seed=0, post="raw", **values):
    row = dict.fromkeys(FIELDS) | dict.fromkeys(METRICS, 0.5)
    row |= {"dataset": dataset, "entity": entity, "method": method, "seed": seed, "post": post}
    row |= {"family": "simple", "threshold": 1.0, "alarm_rate": 0.1, "false_alarm_rate": 0.05}
    row |= {"fit_seconds": 1.0, "score_seconds": 0.1, "peak_memory_mb": 100.0}
    row |= {"data_sha256": "d", "settings_sha256": "s"}
    row |= {f"version_{name}": "1" for name in VERSIONS}
    return row | values


@pytest.fixture(scope="session")
def make_row():
    """Function: a whole row of results.csv."""
    return _make_row


@pytest.fixture(scope="session")
def sizes():
    """Options of the synthetic data set."""
    return dict(SIZES)


@pytest.fixture(scope="session")
def settings():
    """Overrides under which every model is fitted in a second or two."""
    return dict(SETTINGS)
