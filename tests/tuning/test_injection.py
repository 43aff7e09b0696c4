"""Injected anomalies: seeded, flagged where they lie, of every kind."""

import numpy as np
import pytest

from tsad_keras.datasets import synthetic
from tsad_keras.errors import InputError
from tsad_keras.tuning import injection
from tsad_keras.tuning.injection import KINDS, inject


@pytest.fixture(scope="module")
def normal():
    random = np.random.default_rng(0)
    time = np.arange(8000)[:, None]
    values = np.sin(time / 30 + np.arange(6)) + random.normal(0, 0.1, (8000, 6))
    values[:, 5] = 3.0
    return values


def test_the_flags_say_where_rows_were_changed(normal):
    made = inject(normal, normal.std(axis=0), seed=0)
    changed = (made.values != normal).any(axis=1)
    assert not changed[made.flags == 0].any()
    assert changed[made.flags == 1].mean() > 0.8  # spikes leave rows between them
    assert 0.05 < made.flags.mean() < 0.2
    assert len(np.flatnonzero(np.diff(made.flags) == 1)) + made.flags[0] == len(made.kinds)
    assert set(made.kinds) == set(KINDS)
    assert np.array_equal(made.values[:, 5], normal[:, 5])  # nothing to measure sizes in


def test_the_seed_decides_and_the_input_stays_as_it_is(normal):
    before = normal.copy()
    spread = normal.std(axis=0)
    one, same, other = (inject(normal, spread, seed) for seed in (1, 1, 2))
    assert np.array_equal(one.values, same.values)
    assert not np.array_equal(one.flags, other.flags)
    assert np.array_equal(normal, before)


@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_does_what_it_says(kind, normal, monkeypatch):
    monkeypatch.setattr(injection, "KINDS", (kind,))
    made = inject(normal, normal.std(axis=0), seed=3)
    rows = np.flatnonzero(made.flags)
    within = made.values[rows]
    if kind in ("flat", "reversal", "swap"):  # values that were there before
        assert np.isin(within.round(9), normal.round(9)).all()
    else:
        assert not np.isin(within.round(9), normal.round(9)).all()
    assert (made.values[rows] != normal[rows]).any()


def test_missing_values_stay_few_and_nothing_becomes_infinite(normal):
    gaps = normal.copy()
    gaps[np.random.default_rng(5).random(gaps.shape) < 0.05] = np.nan
    made = inject(gaps, np.nanstd(gaps, axis=0), seed=0)
    assert not np.isinf(made.values).any()
    assert np.isnan(made.values).mean() < 0.1


def test_the_kinds_are_not_only_those_of_the_synthetic_set():
    assert len(set(KINDS) - set(synthetic.KINDS)) >= 6


def test_too_little_to_inject_into_is_refused(normal):
    with pytest.raises(InputError, match="0 features that vary"):
        inject(normal, np.zeros(6), seed=0)
    with pytest.raises(InputError, match="7 held-out rows"):
        inject(normal[:7], normal.std(axis=0), seed=0)
