"""The synthetic set: its law, its layout, its seed."""

from __future__ import annotations

import numpy as np
import pytest

from tsad_keras.datasets.base import AnomalySegment
from tsad_keras.datasets.synthetic import (
    AMPLITUDES,
    KINDS,
    add_anomaly,
    draw_features,
    draw_kinds,
    make_synthetic,
)
from tsad_keras.errors import InputError


@pytest.mark.parametrize("seed", range(20))
def test_published_window_counts(seed):
    dataset = make_synthetic(seed=seed, num_train=100)
    shares = np.array([dataset.test_labels[i : i + 100].mean() for i in range(0, 4901, 50)])
    assert len(shares) == 99
    assert (shares > 0).sum() == (shares >= 0.5).sum() == 15
    assert dataset.test_labels.sum() == 500
    assert {segment.kind for segment in dataset.test_segments} == set(KINDS)
    for segment in dataset.test_segments:
        assert 4 <= len(segment.features) <= 19
    borders = [0, *(edge for s in dataset.test_segments for edge in (s.start, s.end)), 5000]
    assert min(np.diff(borders)[::2]) >= 100  # normal rows before, between and after


def test_same_seed_same_data_and_other_seed_other_data():
    first, second, other = (make_synthetic(seed, 200, 100) for seed in (3, 3, 4))
    np.testing.assert_array_equal(first.train, second.train)
    np.testing.assert_array_equal(first.test, second.test)
    assert not np.allclose(first.train, other.train)


def test_training_rows_do_not_depend_on_the_test_part():
    long = make_synthetic(num_train=300, num_test=1000)
    short = make_synthetic(num_train=200, num_test=50, anomaly_ratio=0.3)
    np.testing.assert_allclose(long.train[:200], short.train, rtol=1e-12)


def test_rows_outside_segments_are_those_without_anomalies():
    with_anomalies = make_synthetic(num_train=100, num_test=1000)
    without = make_synthetic(num_train=100, num_test=1000, anomaly_ratio=0)
    assert without.test_segments == ()
    assert not without.test_labels.any()
    touched = with_anomalies.test_feature_labels
    np.testing.assert_array_equal(with_anomalies.test[~touched], without.test[~touched])
    assert (with_anomalies.test[touched] != without.test[touched]).mean() > 0.9


def test_anomalies_have_the_size_they_are_said_to_have():
    sizes = {kind: [] for kind in KINDS}
    for seed in range(3):
        changed = make_synthetic(seed, 2000, 5000)
        normal = make_synthetic(seed, 2000, 5000, anomaly_ratio=0)
        # Differences of neighbours hold twice the noise's variance and hardly anything slow.
        noise = np.diff(normal.train, axis=0).std(axis=0) / np.sqrt(2)
        for segment in changed.test_segments:
            rows, columns = slice(segment.start, segment.end), list(segment.features)
            effect = (changed.test - normal.test)[rows, columns] / noise[columns]
            sizes[segment.kind].append(effect)
    shifts = np.concatenate([np.abs(effect).mean(axis=0) for effect in sizes["level_shift"]])
    low, high = AMPLITUDES["level_shift"]
    assert low * 0.8 < shifts.min() < shifts.max() < high * 1.1
    assert all((effect <= 0).all() for effect in sizes["drop"])
    assert all((effect >= 0).all() for effect in sizes["spike"])
    assert all(abs(effect.mean()) < 1 for effect in sizes["variance_change"])


def test_features_are_correlated_and_have_a_daily_cycle():
    train = make_synthetic(num_train=14_400, num_test=100).train
    correlation = np.abs(np.corrcoef(train.T))
    assert np.median(np.sort(correlation, axis=1)[:, -2]) > 0.8  # the closest other feature
    centred = train - train.mean(axis=0)
    power = np.abs(np.fft.rfft(centred, axis=0)) ** 2
    daily = power[[10, 20]].sum(axis=0) / power.sum(axis=0)  # ten days of 1,440 minutes
    assert np.median(daily) > 0.5


@pytest.mark.parametrize("num_features", [1, 2, 3, 60])
@pytest.mark.parametrize("num_test", [1, 7, 50, 333])
@pytest.mark.parametrize("ratio", [0.0, 0.02, 0.1, 0.5])
def test_any_size(num_features, num_test, ratio):
    dataset = make_synthetic(1, 2, num_test, num_features, ratio)
    assert dataset.test.shape == (num_test, num_features)
    assert np.isfinite(dataset.test).all()
    assert abs(dataset.test_labels.sum() - ratio * num_test) <= max(0.26 * ratio * num_test, 1)
    ends = [0]
    for segment in dataset.test_segments:
        assert segment.start >= ends[-1]
        assert segment.end > segment.start
        ends.append(segment.end)
    assert ends[-1] <= num_test


def test_test_part_continues_training_in_time():
    dataset = make_synthetic(num_train=50, num_test=20)
    times = np.concatenate([dataset.train_timestamps, dataset.test_timestamps])
    assert (np.diff(times) == np.timedelta64(1, "m")).all()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"anomaly_ratio": 0.6}, "anomaly_ratio is 0.6"),
        ({"num_features": 0}, "num_features is 0"),
        ({"num_test": 0}, "num_test is 0"),
        ({"num_train": 1.5}, "num_train is 1.5"),
        ({"seed": -1}, "seed is -1"),
    ],
)
def test_refuses(arguments, message):
    with pytest.raises(InputError, match=message):
        make_synthetic(**arguments)


@pytest.mark.parametrize("kind", KINDS)
def test_an_anomaly_can_be_added_to_any_series_and_stays_in_its_place(kind):
    values = np.random.default_rng(0).normal(size=(300, 3)) * [1.0, 5.0, 0.0]
    noise, spread = values / [1.0, 5.0, 1.0], np.array([1.0, 5.0, 0.0])
    changed, again = values.copy(), values.copy()
    segment = AnomalySegment(100, 180, kind, (1, 2))
    add_anomaly(changed, segment, noise, spread, np.random.default_rng(1))
    add_anomaly(again, segment, noise, spread, np.random.default_rng(1))
    np.testing.assert_array_equal(changed, again)
    touched = np.zeros(values.shape, bool)
    touched[100:180, 1] = True  # feature 2 has no noise, so nothing is large beside it
    np.testing.assert_array_equal(changed[~touched], values[~touched])
    size = np.abs(changed - values)[touched] / spread[1]
    assert 1 < size.max() < 30


@pytest.mark.parametrize("num_features", [1, 2, 7, 38])
def test_drawn_features_and_kinds_are_as_many_as_they_are_said_to_be(num_features):
    random = np.random.default_rng(num_features)
    counts = {len(set(draw_features(random, num_features))) for _ in range(300)}
    least, most = max(1, round(0.1 * num_features)), max(1, num_features // 2)
    assert counts == set(range(least, most + 1))
    kinds = draw_kinds(random, 4 * num_features + 1)
    assert sorted(kinds[:4]) == sorted(KINDS)
    assert {kinds.count(kind) for kind in KINDS} == {num_features, num_features + 1}
