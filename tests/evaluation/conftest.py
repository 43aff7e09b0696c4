"""Seeded series on which the metrics are compared with other packages' numbers."""

import numpy as np
import pytest

# Name -> number of time steps, events (start, end-exclusive), decimals of the scores.
LAYOUTS = {
    "borders": (400, [(0, 4), (120, 150), (300, 301), (396, 400)], None),
    "crowded": (600, [(20, 25), (31, 33), (36, 60), (64, 65), (200, 212), (260, 275)], 1),
    "points": (500, [(i, i + 1) for i in (0, 3, 90, 91 + 5, 180, 240, 247, 333, 401, 499)], 0),
    "long": (777, [(300, 500)], None),
    "short": (40, [(10, 14), (30, 31)], 1),
}


def _make_case(name):
    """Labels, scores and predictions; the scores rise in events and have ties where rounded."""
    num_timesteps, events, decimals = LAYOUTS[name]
    rng = np.random.default_rng(list(LAYOUTS).index(name))
    labels = np.zeros(num_timesteps, dtype=int)
    for start, end in events:
        labels[start:end] = 1
    scores = rng.normal(size=num_timesteps) + 1.2 * labels
    if decimals is not None:
        scores = np.round(scores, decimals) + 0.0
    predictions = (scores >= np.sort(scores)[-max(num_timesteps // 8, 3)]).astype(int)
    return labels, scores, predictions


@pytest.fixture
def make_case():
    return _make_case
