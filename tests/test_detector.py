"""The detector as a user meets it: any kind of series in; scores, alarms and explanations out."""

import copy
import hashlib
import inspect
import random

import numpy as np
import pandas as pd
import pytest

from tsad_keras import ContrastiveGANDetector, load_detector
from tsad_keras.errors import InputError
from tsad_keras.files import read_arrays, write_arrays
from tsad_keras.windows import gather_windows, starts_within_series


def fingerprint(detector):
    """Hash of everything that was learnt."""
    digest = hashlib.sha256()
    for name, value in sorted(detector.networks_.weights().items()):
        digest.update(name.encode() + value.tobytes())
    for value in (detector.scaler_.mean_, detector.scaler_.scale_, detector.error_scale_):
        digest.update(value.tobytes())
    digest.update(f"{detector.threshold_!r} {detector.window_threshold_!r}".encode())
    return digest.hexdigest()


pytestmark = pytest.mark.filterwarnings("ignore:Even though")  # tf.data stays a graph, as it may


@pytest.fixture
def fit_quickly(tiny_config, eagerly):
    """Function: fits a detector for a step or two on what it is given."""

    def fit(X, feature_names=None, **settings):
        config = {**tiny_config, "epochs": 1, "steps_per_epoch": 2, **settings}
        return ContrastiveGANDetector(**config).fit(X, feature_names=feature_names, verbose=False)

    return fit


# --- no leakage ----------------------------------------------------------------------------------


def test_fit_takes_no_labels_and_no_test_data():
    for method in (
        ContrastiveGANDetector.fit,
        ContrastiveGANDetector.decision_function,
        ContrastiveGANDetector.predict,
        ContrastiveGANDetector.explain,
        ContrastiveGANDetector.score_windows,
    ):
        names = set(inspect.signature(method).parameters)
        assert not names & {"y", "labels", "X_test", "test", "validation_data"}
        kinds = {p.kind for p in inspect.signature(method).parameters.values()}
        assert inspect.Parameter.VAR_KEYWORD not in kinds


def test_scoring_whatever_leaves_weights_and_threshold_bit_identical(tiny_detector, make_series):
    before = fingerprint(tiny_detector)
    for series in (make_series(seed=3), make_series(seed=4) * 1000, np.zeros((50, 3))):
        tiny_detector.decision_function(series)
        tiny_detector.predict(series)
        tiny_detector.explain(series)
        tiny_detector.score_windows(series)
        tiny_detector.components(series)
        list(tiny_detector.iterate_explained([series]))
    assert fingerprint(tiny_detector) == before


def test_validation_part_is_not_trained_on_and_train_part_does_not_see_it(fit_quickly, make_series):
    """Another validation tail: another threshold, but the same scaler and one-epoch weights."""
    series = make_series()
    changed = series.copy()
    changed[-60:] *= 3  # exactly the tail
    first, second = (fit_quickly(values, validation_fraction=0.1) for values in (series, changed))
    assert first.scaler_.mean_.tobytes() == second.scaler_.mean_.tobytes()
    for name, value in first.networks_.weights().items():
        assert value.tobytes() == second.networks_.weights()[name].tobytes()
    assert first.error_scale_.tobytes() == second.error_scale_.tobytes()
    assert first.threshold_ != second.threshold_


# --- what goes in --------------------------------------------------------------------------------


def test_array_frame_and_list_of_one_give_the_same(fit_quickly, make_series):
    series = make_series()
    frame = pd.DataFrame(series, columns=["cpu", "memory", "disk"])
    fitted = [fit_quickly(X) for X in (series, frame, [series])]
    assert len({fingerprint(detector) for detector in fitted}) == 1
    assert fitted[0].feature_names_ == ("feature_0", "feature_1", "feature_2")
    assert fitted[1].feature_names_ == ("cpu", "memory", "disk")
    scores = fitted[1].decision_function(frame)
    assert scores.shape == (600,)
    np.testing.assert_array_equal(scores, fitted[0].decision_function(series))
    named = fit_quickly(series, feature_names=pd.Index(["a", "b", "c"]))
    assert named.feature_names_ == ("a", "b", "c")


def test_list_of_series_trains_one_model_and_scores_each_alone(fit_quickly, make_series):
    parts = [make_series(300), make_series(150, seed=1), make_series(30, seed=2)]
    detector = fit_quickly(parts)
    scores = detector.decision_function(parts)
    assert scores.shape == (480,)
    alone = [detector.decision_function(part) for part in parts]
    assert np.concatenate(alone).tobytes() == scores.tobytes()
    assert detector.explain(parts).shape == (480, 3)


def test_series_shorter_than_a_window_are_left_out_with_a_warning(fit_quickly, make_series, caplog):
    short = make_series(15, seed=1)
    detector = fit_quickly([make_series(300), short])
    assert "1 of 2 series are shorter than window_size 20" in caplog.text
    assert fingerprint(detector) == fingerprint(fit_quickly(make_series(300)))


def test_missing_values_are_allowed_in_train_and_test(fit_quickly, make_series):
    series = make_series()
    series[np.random.default_rng(0).random(series.shape) < 0.2] = np.nan
    series[:50, 1] = np.nan
    detector = fit_quickly(series)
    assert np.isfinite(detector.decision_function(series)).all()
    whole_gap = np.full((40, 3), np.nan)
    assert np.isfinite(detector.decision_function(whole_gap)).all()


def test_missing_values_of_pandas_own_types_are_missing_values(tiny_detector, make_series):
    frame = pd.DataFrame(make_series(100), columns=tiny_detector.feature_names_).round(0)
    frame.iloc[5:9, 1] = np.nan
    scores = tiny_detector.decision_function(frame)
    of_integers = tiny_detector.decision_function(frame.astype("Int64"))
    assert of_integers.to_numpy().tobytes() == scores.to_numpy().tobytes()


def test_a_series_that_lacks_a_feature_altogether_is_no_problem_if_another_has_it(
    fit_quickly, make_series, recwarn
):
    lacking = make_series(200, seed=1)
    lacking[:, 2] = np.nan
    detector = fit_quickly([make_series(200), lacking])
    assert np.isfinite(detector.decision_function(lacking)).all()
    assert not [w for w in recwarn if issubclass(w.category, RuntimeWarning)]


def test_one_feature_and_one_window(fit_quickly, make_series):
    detector = fit_quickly(make_series(40, 1))
    assert detector.decision_function(make_series(20, 1)).shape == (20,)


def test_input_is_not_changed(fit_quickly, make_series):
    series = make_series()
    series[3, 1] = np.nan
    kept = series.copy()
    fit_quickly(series).explain(series)
    np.testing.assert_array_equal(series, kept)


def bad_series(name, series):
    frame = pd.DataFrame(series, columns=["a", "b", "c"])
    if name == "short":
        return series[:39]
    if name == "infinite":
        series[4, 1] = np.inf
        return series
    if name == "text":
        return frame.assign(b="much").astype({"b": "str"})
    if name == "mixed":
        return frame.assign(b=pd.Series([1.0, "much"] * 300, dtype=object))
    if name == "times":
        return frame.assign(b=pd.Timestamp("2024-01-01"))
    if name == "constant":
        return np.ones_like(series)
    if name == "empty feature":
        series[:, 2] = np.nan
        return series
    return {
        "one dimension": series[:, 0],
        "three dimensions": series[None],
        "no columns": series[:, :0],
        "no rows": series[:0],
        "nothing": None,
        "number": 3.0,
        "word": "series",
        "empty list": [],
        "other widths": [series, series[:, :2]],
        "other columns": [frame, frame[["b", "a", "c"]]],
    }[name]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("short", "longest training series has 39 time steps, expected at least 40"),
        ("infinite", "row 5, column 2 is infinite"),
        ("text", "column 'b' is of type (str|object), expected numbers; pass numeric columns only"),
        ("mixed", "values that are no numbers .*much.*numeric columns only"),
        ("times", "column 'b' is of type datetime64.*, expected numbers"),
        ("constant", "every feature is constant"),
        ("empty feature", "feature .*2.* has no value|feature number 3 has no value"),
        ("one dimension", r"shape \(600,\), expected \(num_timesteps, num_features\)"),
        ("three dimensions", r"shape \(1, 600, 3\)"),
        ("no columns", r"shape \(600, 0\)"),
        ("no rows", "has 0 time steps"),
        ("nothing", r"shape \(\)"),
        ("number", r"shape \(\)"),
        ("word", r"shape \(\)"),
        ("empty list", "an empty list of series"),
        ("other widths", r"\[2, 3\] features"),
        ("other columns", "different columns: a, b, c and b, a, c"),
    ],
)
def test_bad_training_data_says_what_came_and_what_was_expected(
    name, message, tiny_config, make_series
):
    with pytest.raises(InputError, match=message):
        ContrastiveGANDetector(**tiny_config).fit(bad_series(name, make_series()), verbose=False)


def test_wrong_number_of_names_is_an_input_error(tiny_config, make_series):
    with pytest.raises(InputError, match="2 feature_names came for 3 features"):
        ContrastiveGANDetector(**tiny_config).fit(make_series(), feature_names=["a", "b"])


@pytest.mark.parametrize("verb", ["decision_function", "predict", "explain", "score_windows"])
def test_bad_data_at_scoring_is_an_input_error(verb, tiny_detector, make_series):
    score = getattr(tiny_detector, verb)
    series = make_series(100)
    for X, message in (
        (series[:, :2], "2 features, expected the 3"),
        (series[:19], r"19 time steps, expected at least window_size \(20\)"),
        (np.where(series > 12, np.inf, series), "is infinite"),
        (
            pd.DataFrame(series, columns=["feature_1", "feature_0", "feature_2"]),
            "in their order: feature_0, feature_1, feature_2",
        ),
        (pd.DataFrame(series).assign(text="a"), "numbers|columns are"),
    ):
        with pytest.raises(InputError, match=message):
            score(X)


def test_window_scores_of_several_series_are_an_input_error(tiny_detector, make_series):
    with pytest.raises(InputError, match="one series"):
        tiny_detector.score_windows([make_series(100), make_series(100)])


def test_everything_needs_a_fit_first(tiny_config, make_series, tmp_path):
    detector = ContrastiveGANDetector(**tiny_config)
    for call in (
        lambda: detector.decision_function(make_series()),
        lambda: detector.predict(make_series()),
        lambda: detector.explain(make_series()),
        lambda: detector.score_windows(make_series()),
        lambda: detector.components(make_series()),
        lambda: list(detector.iterate_explained([make_series()])),
        lambda: detector.save(tmp_path),
    ):
        with pytest.raises(InputError, match="not fitted"):
            call()
    assert list(tmp_path.iterdir()) == []


def test_a_failed_second_fit_leaves_no_mixture_of_two(fit_quickly, make_series):
    detector = fit_quickly(make_series())
    with pytest.raises(InputError):
        detector.fit(make_series(10, 5), verbose=False)
    try:
        scores = detector.decision_function(make_series())
    except InputError as error:
        assert "not fitted" in str(error)
    else:
        assert scores.shape == (600,)


# --- what comes out ------------------------------------------------------------------------------


def test_scores_alarms_and_contributions_agree(tiny_detector, make_series):
    series = make_series(seed=1)
    series[300:320, 1] += 20
    scores = tiny_detector.decision_function(series)
    assert scores.shape == (600,)
    assert np.isfinite(scores).all()
    alarms = tiny_detector.predict(series)
    assert set(alarms) == {0, 1}
    np.testing.assert_array_equal(alarms, scores >= tiny_detector.threshold_)
    contributions = tiny_detector.explain(series)
    assert contributions.shape == (600, 3)
    assert (contributions >= 0).all()
    np.testing.assert_allclose(contributions.sum(axis=1), scores, rtol=1e-12)


def test_an_anomaly_gets_the_highest_scores_and_its_feature_the_blame(tiny_detector, make_series):
    series = make_series(seed=1)
    series[300:310, 1] += 20
    scores = tiny_detector.decision_function(series)
    assert 300 <= scores.argmax() < 315
    assert tiny_detector.predict(series)[305] == 1
    assert tiny_detector.explain(series)[305].argmax() == 1


def test_most_normal_steps_are_no_alarms(fit_quickly, make_series):
    detector = fit_quickly(
        make_series(1500), steps_per_epoch=10, false_alarm_rate=0.02, smoothing_span=1
    )
    assert detector.predict(make_series(1500, seed=8)).mean() < 0.06


def test_smoothing_never_looks_ahead(tiny_detector, make_series):
    """A change after a window's end cannot reach back further than that window's start."""
    series = make_series(200)
    changed = series.copy()
    changed[150:] += 50
    before, after = (tiny_detector.decision_function(v) for v in (series, changed))
    np.testing.assert_allclose(after[:130], before[:130], rtol=1e-4)


def test_components_are_error_and_realism(tiny_detector, make_series):
    series = make_series(200)
    parts = tiny_detector.components(series)
    assert {name: value.shape for name, value in parts.items()} == {
        "reconstruction_error": (200,),
        "realism": (200,),
    }
    assert (parts["reconstruction_error"] >= 0).all()
    assert ((parts["realism"] >= 0) & (parts["realism"] <= 1)).all()


def test_window_scores_are_the_scores_of_windows(tiny_detector, make_series):
    series = make_series(100)
    starts, scores = tiny_detector.score_windows(series, stride=7)
    assert starts.tolist() == [*range(0, 81, 7), 80]
    assert scores.shape == starts.shape
    # A window's score does not depend on the rest of the series.
    for start, score in zip(starts[[0, 5]], scores[[0, 5]], strict=True):
        _, alone = tiny_detector.score_windows(series[start : start + 20])
        assert alone[0] == pytest.approx(score, rel=1e-4)
    assert np.isfinite(tiny_detector.window_threshold_)


@pytest.fixture(scope="module")
def fused_detector(tiny_config, make_series):
    config = {**tiny_config, "epochs": 1, "steps_per_epoch": 2, "burst_span": 20}
    return ContrastiveGANDetector(**config).fit(make_series(), verbose=False)


@pytest.mark.parametrize("seed", range(5))
def test_pieces_of_any_size_give_what_the_whole_gives(seed, tiny_detector, make_series):
    check_pieces(seed, tiny_detector, make_series)


@pytest.mark.parametrize("seed", range(3))
def test_so_does_the_fused_score(seed, fused_detector, make_series):
    assert fused_detector.config.has_memory and fused_detector.config.score_mode == "fused"
    check_pieces(seed, fused_detector, make_series)


def test_the_fused_score_survives_saving(fused_detector, make_series, tmp_path):
    fused_detector.save(tmp_path)
    again, series = load_detector(tmp_path), make_series(90, seed=4)
    for causal in (False, True):
        np.testing.assert_array_equal(
            again.explain(series, causal=causal), fused_detector.explain(series, causal=causal)
        )
    assert again.weights_sha256_ == fused_detector.weights_sha256_
    parts = fused_detector.components(series)
    views = ("reconstruction", "smoothed", "forecast", "shift", "pattern", "level")
    names = [*(f"{view}_error" for view in views), "realism"]
    assert list(parts) == names and all(part.shape == (90,) for part in parts.values())


def test_the_forecast_counts_and_can_be_left_out(fused_detector, tiny_config, make_series):
    config = {**tiny_config, "epochs": 1, "steps_per_epoch": 2, "burst_span": 20}
    without = ContrastiveGANDetector(**config, forecast_order=0).fit(make_series(), verbose=False)
    assert without.autoregression_ is None and without.fusion_levels_.forecast is None
    assert fused_detector.autoregression_.order == 3
    series = make_series(90, seed=4)
    parts, others = fused_detector.components(series), without.components(series)
    assert parts.keys() - others.keys() == {"forecast_error"}
    for name, values in others.items():  # the same networks and the same memory
        np.testing.assert_allclose(parts[name], values, rtol=1e-6)
    jumpy = series.copy()
    jumpy[40:60:2, 1] += 2.0 * series[:, 1].std()
    rise = fused_detector.decision_function(jumpy) - fused_detector.decision_function(series)
    before = without.decision_function(jumpy) - without.decision_function(series)
    assert rise[40:60].mean() > before[40:60].mean() > 0
    assert fused_detector.explain(jumpy)[40:60].mean(axis=0).argmax() == 1


def test_what_is_typical_of_forecasts_is_that_of_train(fused_detector, make_series):
    from tsad_keras.calibration import typical_errors
    from tsad_keras.detector import fitting

    config, names = fused_detector.config, fused_detector.feature_names_
    (part,) = fitting.split_parts(config, [make_series()], names)
    errors = fitting.window_errors(config, fused_detector.window_outputs, part.train)
    weight = part.scaler.weight_
    typical = typical_errors(errors[:, 2 * len(names) : 3 * len(names)], weight)
    np.testing.assert_allclose(fused_detector.fusion_levels_.forecast_scale, typical)
    np.testing.assert_allclose(
        fused_detector.error_scale_, typical_errors(errors[:, : len(names)], weight)
    )


def test_a_moved_mean_counts_and_can_be_left_out(fused_detector, tiny_config, make_series):
    config = {**tiny_config, "epochs": 1, "steps_per_epoch": 2, "burst_span": 20}
    without = ContrastiveGANDetector(**config, mean_shift=False).fit(make_series(), verbose=False)
    assert without.fusion_levels_.shift is None
    series = make_series(90, seed=4)
    parts, others = fused_detector.components(series), without.components(series)
    assert parts.keys() - others.keys() == {"shift_error"}
    for name, values in others.items():  # the same networks, forecast and memory
        np.testing.assert_allclose(parts[name], values, rtol=1e-6)
    moved = series.copy()
    moved[30:, 1] += 2.0 * series[:, 1].std()
    rise = fused_detector.decision_function(moved) - fused_detector.decision_function(series)
    before = without.decision_function(moved) - without.decision_function(series)
    assert rise[50:].mean() > before[50:].mean()
    assert fused_detector.explain(moved)[50:].mean(axis=0).argmax() == 1


def test_the_shift_is_the_squared_mean_of_the_windows(fused_detector, make_series):
    config, names = fused_detector.config, fused_detector.feature_names_
    size, width = config.window_size, len(names)
    window = fused_detector.prepare_rows(make_series(size, seed=4))
    views = 3  # raw, smoothed, forecast come before
    found = fused_detector.window_outputs(window[None])[0, :, views * width : (views + 1) * width]
    expected = np.square(window.astype(np.float64).mean(axis=0))
    np.testing.assert_allclose(found, np.tile(expected, (size, 1)), rtol=1e-4, atol=1e-9)
    last = fused_detector.last_outputs(window[None])[0, views * width : (views + 1) * width]
    np.testing.assert_array_equal(last, found[-1])


def test_what_is_typical_of_shifts_is_that_of_train(fused_detector, make_series):
    from tsad_keras.detector import fitting

    config, names = fused_detector.config, fused_detector.feature_names_
    (part,) = fitting.split_parts(config, [make_series()], names)
    (train,), size = part.train, config.window_size
    starts = np.arange(0, len(train) - size + 1, config.score_stride)
    if starts[-1] + size < len(train):
        starts = np.append(starts, len(train) - size)
    means = np.array([train[start : start + size].mean(axis=0) for start in starts])
    expected = ((means**2).mean(axis=0) + 0.01 / size) / part.scaler.weight_
    np.testing.assert_allclose(fused_detector.fusion_levels_.shift_scale, expected, rtol=1e-4)


def test_a_damaged_memory_or_forecast_is_refused(fused_detector, tmp_path):
    fused_detector.save(tmp_path)
    arrays, header = read_arrays(tmp_path / "detector.npz")
    for name, value in (
        ("memory/patterns", arrays["memory/patterns"][:, :-1]),
        ("autoregression/coefficients", arrays["autoregression/coefficients"][1:]),
        ("autoregression/intercepts", arrays["autoregression/intercepts"][:-1]),
        ("forecast_scale", np.ones(2)),
        ("shift_scale", np.ones(2)),
        ("pattern_scale", np.ones(2)),
        ("fusion_levels", np.ones((2, 3))),
    ):
        write_arrays(tmp_path / "detector.npz", {**arrays, name: value}, header)
        with pytest.raises(InputError, match="is damaged"):
            load_detector(tmp_path)


def test_levels_of_other_views_than_the_settings_ask_for_are_refused(fused_detector, tmp_path):
    fused_detector.save(tmp_path)
    arrays, header = read_arrays(tmp_path / "detector.npz")
    names = ("raw", "smoothed", "forecast", "shift", "pattern", "level")
    for left_out, views in (("forecast", 1), ("shift", 1), ("pattern", 2)):
        first = names.index(left_out)
        rows = np.delete(arrays["fusion_levels"], range(first, first + views), axis=0)
        others = {key: array for key, array in arrays.items() if key != f"{left_out}_scale"}
        write_arrays(tmp_path / "detector.npz", {**others, "fusion_levels": rows}, header)
        with pytest.raises(InputError, match="fusion_levels does not fit the settings"):
            load_detector(tmp_path)


def check_pieces(seed, detector, make_series):
    rng = np.random.default_rng(seed)
    series = make_series(int(rng.integers(20, 500)))
    series[rng.random(series.shape) < 0.3] = np.nan
    series[10:60, 1] = np.nan
    pieces = np.split(series, np.sort(rng.integers(0, len(series) + 1, 9)))
    parts = list(detector.iterate_explained(pieces))
    assert all(len(part) for part in parts)
    assert np.concatenate(parts).tobytes() == detector.explain(series).tobytes()


def test_pieces_are_checked_too(tiny_detector, make_series):
    for pieces, message in (
        ([make_series(30), make_series(30, 2)], "2 features"),
        ([make_series(12)], "12 time steps"),
        ([make_series(30), np.full((3, 3), np.inf)], "infinite"),
    ):
        with pytest.raises(InputError, match=message):
            list(tiny_detector.iterate_explained(pieces))


@pytest.mark.parametrize("score_mode", ["reconstruction", "realism", "combined"])
def test_every_mode_scores_and_explains(score_mode, fit_quickly, make_series):
    series = make_series(200)
    detector = fit_quickly(series, score_mode=score_mode, smoothing_span=1, calibrate=False)
    contributions = detector.explain(series)
    scores, parts = detector.decision_function(series), detector.components(series)
    np.testing.assert_allclose(contributions.sum(axis=1), scores, rtol=1e-12)
    expected = {
        "reconstruction": parts["reconstruction_error"],
        "realism": 1 - parts["realism"],
        "combined": parts["reconstruction_error"] + 1 - parts["realism"],
    }[score_mode]
    np.testing.assert_allclose(scores, expected, rtol=1e-4, atol=1e-6)


def test_calibration_divides_by_the_errors_on_train(fit_quickly, make_series):
    series = make_series()
    plain, calibrated = (
        fit_quickly(series, calibrate=c, smoothing_span=1, score_mode="reconstruction")
        for c in (False, True)
    )
    assert plain.error_scale_.tolist() == [1, 1, 1]
    ratio = plain.explain(series) / calibrated.explain(series)
    np.testing.assert_allclose(ratio, np.tile(calibrated.error_scale_, (600, 1)), rtol=1e-4)
    # On the training part the calibrated errors are about 1.
    assert calibrated.decision_function(series[:540]).mean() == pytest.approx(1, rel=0.1)


def test_calibration_is_by_what_is_typical_of_a_window(fit_quickly, make_series):
    series = make_series()
    series[100:130, 1] *= 8  # restless once
    detector = fit_quickly(series, smoothing_span=1, score_mode="reconstruction")
    size, stride = detector.config.window_size, detector.config.score_stride
    starts = starts_within_series([540], size, stride)
    windows = gather_windows(detector.prepare_rows(series[:540]), starts, size)
    errors = detector.window_outputs(windows).mean(axis=1)
    np.testing.assert_allclose(detector.error_scale_, np.sqrt(errors).mean(axis=0) ** 2, rtol=1e-5)
    assert detector.error_scale_[1] < 0.8 * errors.mean(axis=0)[1]


def test_flags_count_their_weight(fit_quickly, make_series, tmp_path, caplog):
    series = make_series()
    series[:, 1] = series[:, 1] > np.median(series[:, 1])
    settings = {"smoothing_span": 1, "score_mode": "reconstruction"}
    with caplog.at_level("INFO"):
        alike, less = (
            fit_quickly(series, flag_weight=weight, **settings) for weight in (1.0, 0.01)
        )
    assert caplog.text.count("1 of 3 features have two values on train and count 0.01") == 1
    # Each calibrated error is about its weight on the training part.
    for detector, weight in ((alike, 1.0), (less, 0.01)):
        parts = detector.explain(series[:540]).mean(axis=0) * 3
        np.testing.assert_allclose(parts, [1, weight, 1], rtol=0.15)
    less.save(tmp_path)
    again = load_detector(tmp_path)
    np.testing.assert_array_equal(again.explain(series), less.explain(series))
    np.testing.assert_allclose(again.scaler_.deviation_, series[:540].std(axis=0))
    adapted = [again.adapt(series * factor) for factor in (1.0, 3.0)]
    np.testing.assert_array_equal(adapted[0].scaler_.weight_, [1, 0.01, 1])
    np.testing.assert_allclose(adapted[0].error_scale_, less.error_scale_, rtol=1e-5)
    scores = [a.decision_function(series * f) for a, f in zip(adapted, (1, 3), strict=True)]
    np.testing.assert_allclose(scores[0], scores[1], rtol=1e-3)


def test_the_threshold_is_that_of_the_rule_on_the_validation_part(fit_quickly, make_series):
    series = make_series()
    settings = {"false_alarm_rate": 0.1, "smoothing_span": 1, "validation_fraction": 0.25}
    detector = fit_quickly(series, threshold_method="percentile", **settings)
    validation = detector.decision_function(series[-150:])
    assert detector.threshold_ == pytest.approx(np.quantile(validation, 0.9), rel=1e-6)
    _, windows = detector.score_windows(series[-150:], stride=1)
    assert detector.window_threshold_ == pytest.approx(np.quantile(windows, 0.9), rel=1e-4)
    assert ((validation >= detector.threshold_).mean()) == pytest.approx(0.1, abs=0.01)


@pytest.mark.usefixtures("eagerly")
def test_the_hybrid_preset_from_end_to_end(tiny_config, make_series, tmp_path):
    small = {**tiny_config, "patch_size": 1, "stride": 5, "epochs": 2, "num_layers": 2}
    detector = ContrastiveGANDetector(preset="hybrid", **small)
    assert detector.config.contrastive_source == "encoder"
    series = make_series(400)
    detector.fit(series, verbose=False)
    assert detector.networks_.latent_generator is not None
    assert len(detector.history_) == 2
    detector.save(tmp_path)
    loaded = load_detector(tmp_path)
    scores = detector.decision_function(series)
    assert loaded.decision_function(series).tobytes() == scores.tobytes()
    np.testing.assert_allclose(detector.explain(series).sum(axis=1), scores, rtol=1e-12)
    starts, window_scores = detector.score_windows(series)
    assert starts.tolist() == list(range(0, 381, 5))
    assert np.isfinite(window_scores).all()


# --- repeatability -------------------------------------------------------------------------------


def test_global_random_states_are_left_alone(fit_quickly, make_series):
    random.seed(3)
    np.random.seed(3)  # noqa: NPY002
    states = random.getstate(), np.random.get_state()[1].tobytes()  # noqa: NPY002
    detector = fit_quickly(make_series(), dropout=0.2)
    assert random.getstate() == states[0]
    assert np.random.get_state()[1].tobytes() == states[1]  # noqa: NPY002
    random.seed(4)
    assert fingerprint(fit_quickly(make_series(), dropout=0.2)) == fingerprint(detector)
    assert fingerprint(fit_quickly(make_series(), dropout=0.2, seed=1)) != fingerprint(detector)


@pytest.mark.usefixtures("eagerly")
def test_history_file_has_a_line_an_epoch(tiny_config, make_series, tmp_path):
    path = tmp_path / "history.csv"
    detector = ContrastiveGANDetector(**tiny_config)
    detector.fit(make_series(), verbose=False, history_path=path)
    frame = pd.read_csv(path)
    assert frame["epoch"].tolist() == [1, 2, 3]
    assert frame.to_dict("records") == [pytest.approx(row) for row in detector.history_]
    assert 1 <= detector.best_epoch_ <= 3


@pytest.mark.parametrize("damage", ["cut off", "other settings"])
def test_an_unusable_checkpoint_starts_anew_and_says_so(
    damage, tiny_config, make_series, tmp_path, caplog, fit_quickly
):
    path, config = tmp_path / "checkpoint.npz", {**tiny_config, "epochs": 1, "steps_per_epoch": 2}
    first = ContrastiveGANDetector(**config, jitter=0.1 if damage == "other settings" else 0.0)
    first.fit(make_series(), verbose=False, checkpoint_path=path)
    if damage == "cut off":
        path.write_bytes(path.read_bytes()[:-1000])
    second = ContrastiveGANDetector(**config)
    second.fit(make_series(), verbose=False, checkpoint_path=path)
    assert "starting anew" in caplog.text
    assert fingerprint(second) == fingerprint(fit_quickly(make_series()))
    second.discard_checkpoint()
    assert not path.exists()


# --- folders -------------------------------------------------------------------------------------


def test_saved_and_loaded_it_is_the_same_detector(tiny_detector, make_series, tmp_path):
    tiny_detector.save(tmp_path / "model")
    loaded = load_detector(tmp_path / "model")
    assert fingerprint(loaded) == fingerprint(tiny_detector)
    assert loaded.config == tiny_detector.config
    assert loaded.history_ == tiny_detector.history_
    series = make_series(seed=2)
    for verb in ("decision_function", "predict", "explain"):
        before, after = (getattr(d, verb)(series) for d in (tiny_detector, loaded))
        assert before.tobytes() == after.tobytes()


def test_a_damaged_model_folder_is_an_input_error(tiny_detector, tmp_path):
    tiny_detector.save(tmp_path)
    path = tmp_path / "detector.npz"
    whole = path.read_bytes()
    for content in (whole[: len(whole) // 2], whole[:100], b"", b"x" * 1000):
        path.write_bytes(content)
        with pytest.raises(InputError, match="is damaged"):
            load_detector(tmp_path)
    path.unlink()
    with pytest.raises(InputError, match="does not exist"):
        load_detector(tmp_path)


def test_a_model_file_that_lacks_a_part_is_an_input_error(tiny_detector, tmp_path):
    from tsad_keras.persistence import read_bundle, write_bundle

    tiny_detector.save(tmp_path)
    arrays, metadata = read_bundle(tmp_path)
    wrong_shape = {**arrays, "autoencoder/000": arrays["autoencoder/000"][:1]}
    for changed_arrays, changed_metadata in (
        ({k: v for k, v in arrays.items() if k != "scale"}, metadata),
        ({k: v for k, v in arrays.items() if k != "autoencoder/000"}, metadata),
        (wrong_shape, metadata),
        (arrays, {k: v for k, v in metadata.items() if k != "threshold"}),
        (arrays, {**metadata, "config": {**metadata["config"], "unheard_of": 1}}),
    ):
        write_bundle(tmp_path, changed_arrays, changed_metadata)
        with pytest.raises(InputError, match="is damaged"):
            load_detector(tmp_path)


def test_an_unwritable_folder_is_an_input_error(tiny_detector, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot write"):
        tiny_detector.save(tmp_path / "file")


def test_a_detector_trained_on_a_frame_refuses_other_names(tiny_detector, make_series):
    named = copy.copy(tiny_detector)
    named.feature_names_ = ("a", "b", "c")
    with pytest.raises(InputError, match="columns are x, y, z, expected .* a, b, c"):
        named.predict(pd.DataFrame(make_series(60), columns=["x", "y", "z"]))


def test_a_detector_trained_on_an_array_scores_a_frame_with_any_names(tiny_detector, make_series):
    series = make_series(60)
    frame = pd.DataFrame(series, columns=[f"metric {index}" for index in range(series.shape[1])])
    np.testing.assert_array_equal(
        tiny_detector.decision_function(frame), tiny_detector.decision_function(series)
    )
