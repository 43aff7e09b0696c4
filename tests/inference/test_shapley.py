"""Shapley values of an alarm: additivity, exactness, the bound on time, refusals."""

import itertools
import math
import sys
import types

import numpy as np
import pytest

from tsad_keras.errors import InputError
from tsad_keras.inference import shapley
from tsad_keras.inference.shapley import shap_values
from tsad_keras.scaling import fill_missing

ROW = 44


@pytest.fixture(scope="module")
def series(make_series):
    values = make_series(80, seed=4)
    values[ROW, 1] += 5
    return values


@pytest.fixture
def shap():
    return pytest.importorskip("shap")


class FakeDetector:
    """Its score is a sum over the features, so that any number of coalitions gives exact values."""

    def __init__(self, settings, series):
        self.config = types.SimpleNamespace(window_size=settings["window_size"])
        self.feature_names_ = tuple(f"f{index}" for index in range(series.shape[1]))
        self.series, self.num_scored = series, 0

    def prepare_series(self, X):
        return X.astype(np.float32)

    def prepare_rows(self, values):
        return np.zeros_like(values, dtype=np.float32)

    def window_outputs(self, windows):
        self.cost(windows)
        self.num_scored += len(windows)
        return windows**2

    def point_judge(self):
        return types.SimpleNamespace(of_means=lambda outputs: outputs)

    def additive_values(self, row):
        return self.series[row].astype(np.float32).astype(float) ** 2


def window_score(detector, series, kept):
    """The row's score in its window, by other means: features that are not kept are 0."""
    start = ROW - 10  # window_size 20
    window = detector.prepare_rows(series)[start : start + 20] * np.isin(range(3), kept)
    outputs = detector.window_outputs(window[None].astype(np.float32))[0, [ROW - start]]
    return detector.point_judge().of_means(outputs.astype(np.float64)).sum()


def test_exact_values_are_the_definition(shap, tiny_detector, series):
    found = shap_values(tiny_detector, series, ROW, features=3, progress=False)
    expected = dict.fromkeys(range(3), 0.0)
    for order in itertools.permutations(range(3)):
        for index, feature in enumerate(order):
            with_it, without = order[: index + 1], order[:index]
            gain = window_score(tiny_detector, series, with_it)
            gain -= window_score(tiny_detector, series, without)
            expected[feature] += gain / math.factorial(3)
    assert found.is_exact
    assert found.num_evaluations == 8
    names = list(tiny_detector.feature_names_)
    by_name = dict(zip(found.feature_names, found.values, strict=True))
    for feature, value in expected.items():
        assert by_name[names[feature]] == pytest.approx(value, abs=1e-5)
    assert found.feature_names[int(np.argmax(found.values))] == names[1]


def test_additive_for_chosen_features(shap, tiny_detector, series):
    names = tiny_detector.feature_names_
    found = shap_values(tiny_detector, series, ROW, features=[names[2], names[1]], progress=False)
    assert found.feature_names == (names[2], names[1])
    assert found.values.sum() == pytest.approx(found.score - found.base_score, abs=1e-6)
    assert found.base_score == pytest.approx(window_score(tiny_detector, series, [0]), rel=1e-5)
    assert found.score == pytest.approx(window_score(tiny_detector, series, [0, 1, 2]), rel=1e-5)


def test_rows_that_are_scaled_in_the_graph_have_the_same_values(shap, tiny_detector, series):
    """An export prepares raw rows, in which the train mean is not 0."""
    as_export = types.SimpleNamespace(
        config=tiny_detector.config,
        feature_names_=tiny_detector.feature_names_,
        prepare_series=lambda X: fill_missing(X),
        prepare_rows=lambda values: fill_missing(values),
        window_outputs=lambda windows: tiny_detector.window_outputs(
            np.stack([tiny_detector.prepare_rows(window) for window in windows])
        ),
        point_judge=tiny_detector.point_judge,
        explain=tiny_detector.explain,
    )
    expected = shap_values(tiny_detector, series, ROW, progress=False, features=2)
    found = shap_values(as_export, series, ROW, progress=False, features=2)
    np.testing.assert_allclose(found.values, expected.values, rtol=1e-4, atol=1e-5)


def test_one_feature_gets_the_whole_difference(shap, tiny_detector, series):
    found = shap_values(tiny_detector, series, ROW, features=1, progress=False)
    assert found.values == pytest.approx([found.score - found.base_score])


@pytest.mark.parametrize("is_slower_than_measured", [False, True])
def test_short_time_means_fewer_coalitions_and_stays_additive(
    shap, tiny_config, make_series, monkeypatch, is_slower_than_measured
):
    wide = make_series(80, num_features=8, seed=4)
    detector = FakeDetector(tiny_config, wide)
    now = [0.0]

    def cost(windows):
        late = is_slower_than_measured and detector.num_scored > 40
        now[0] += len(windows) * (100.0 if late else 1.0)

    detector.cost = cost
    monkeypatch.setattr(shapley.time, "perf_counter", lambda: now[0])
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    chosen = list(detector.feature_names_)
    found = shap_values(detector, wide, ROW, features=chosen, max_seconds=100, progress=False)
    assert not found.is_exact
    assert found.num_evaluations < 2**8
    assert found.values.sum() == pytest.approx(found.score - found.base_score, abs=1e-6)
    np.testing.assert_allclose(found.values, detector.additive_values(ROW), atol=1e-6)
    np.testing.assert_array_equal(np.random.get_state()[1], before)  # noqa: NPY002
    if not is_slower_than_measured:
        assert now[0] <= 100


def test_a_bar_counts_the_windows(shap, tiny_detector, series, capsys):
    shap_values(tiny_detector, series, ROW, features=2)
    assert "SHAP: 100%" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"at": 80}, "row 80 came, expected 0 to 79"),
        ({"at": -1}, "row -1 came"),
        ({"at": 1.5}, "row 1.5 came, .* a whole number"),
        ({"features": 0}, "0 features came, expected 1 to 12"),
        ({"features": []}, "0 features came"),
        ({"features": ["pressure"]}, "no feature is called 'pressure', expected some of feature_0"),
        ({"features": "pressure"}, "no feature is called 'pressure'"),
        ({"max_seconds": 0}, "max_seconds is 0, expected more than 0"),
    ],
)
def test_bad_input(shap, tiny_detector, series, words, message):
    with pytest.raises(InputError, match=message):
        shap_values(tiny_detector, series, **{"at": ROW, "progress": False, **words})


def test_without_the_package(tiny_detector, series, monkeypatch):
    monkeypatch.setitem(sys.modules, "shap", None)
    with pytest.raises(InputError, match=r"pip install 'tsad-keras\[shap\]'"):
        shap_values(tiny_detector, series, ROW)
