"""Drift in train standard deviations, whatever a feature counts."""

import numpy as np

from tsad_keras.reporting.drift import drift_from
from tsad_keras.scaling import Scaler


def test_shifts_know_no_weights():
    train = np.random.default_rng(0).normal(size=(200, 2))
    shifts = []
    for weight in (None, np.array([0.01, 1.0])):
        facts = drift_from(Scaler().fit([train], weight), train + 2 * train.std(axis=0), ("a", "b"))
        shifts.append({row["feature"]: row["shift"] for row in facts["worst_features"]})
    for found in shifts:
        np.testing.assert_allclose([found["a"], found["b"]], 2.0)
