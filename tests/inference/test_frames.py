"""pandas in, pandas out: the same values, with the index and the columns that came."""

import numpy as np
import pandas as pd
import pytest

from tsad_keras import ContrastiveGANDetector, export_saved_model, load_export
from tsad_keras.errors import InputError
from tsad_keras.inference.frames import row_index

NAMES = ["cpu", "memory", "disk"]


def times(count, start="2026-03-28 22:00"):
    """Times across the hour that is missing in spring."""
    return pd.date_range(start, periods=count, freq="7min", tz="Europe/Berlin", name="time")


@pytest.fixture(scope="module")
def fitted(tiny_config, make_series):
    settings = {**tiny_config, "epochs": 1, "steps_per_epoch": 2}
    frame = pd.DataFrame(make_series(300), columns=NAMES, index=times(300))
    return ContrastiveGANDetector(**settings, seed=1).fit(frame, verbose=False)


@pytest.fixture(scope="module")
def exported(fitted, tmp_path_factory):
    folder = tmp_path_factory.mktemp("export")
    export_saved_model(fitted, folder)
    return load_export(folder)


@pytest.fixture(params=["detector", "export"])
def model(request, fitted):
    """The two kinds of models that have the verbs."""
    return fitted if request.param == "detector" else request.getfixturevalue("exported")


@pytest.mark.parametrize("causal", [False, True])
def test_a_frame_gets_series_and_frames_with_its_index_and_the_values_of_an_array(
    model, causal, make_series
):
    values = make_series(70, seed=1)
    values[3, 1] = np.nan
    frame = pd.DataFrame(values, columns=NAMES, index=times(70))
    given = {
        verb: [getattr(model, verb)(X, causal=causal) for X in (frame, values)]
        for verb in ("decision_function", "predict", "explain")
    }
    for verb, (of_frame, of_array) in given.items():
        assert type(of_array) is np.ndarray, verb
        pd.testing.assert_index_equal(of_frame.index, frame.index)
        assert str(of_frame.index.tz) == "Europe/Berlin" and of_frame.index.freq == "7min"
        np.testing.assert_array_equal(of_frame.to_numpy(), of_array)
    assert given["decision_function"][0].name == "anomaly_score"
    assert given["predict"][0].name == "is_anomaly"
    assert given["predict"][0].dtype.kind == "i"
    pd.testing.assert_index_equal(given["explain"][0].columns, frame.columns)


def test_scores_of_windows_carry_the_times_of_their_first_rows(model, make_series):
    values = make_series(73, seed=1)
    frame = pd.DataFrame(values, columns=NAMES, index=times(73))
    starts, scores = model.score_windows(frame, stride=25)
    assert starts.tolist() == [0, 25, 50, 53]
    pd.testing.assert_index_equal(scores.index, frame.index[[0, 25, 50, 53]])
    np.testing.assert_array_equal(scores, model.score_windows(values, stride=25)[1])


def test_components_of_a_frame_are_a_frame(fitted, make_series):
    values = make_series(40, seed=1)
    frame = pd.DataFrame(values, columns=NAMES, index=times(40))
    of_frame, of_array = fitted.components(frame), fitted.components(values)
    assert list(of_frame) == list(of_array)
    pd.testing.assert_index_equal(of_frame.index, frame.index)
    for name, part in of_array.items():
        np.testing.assert_array_equal(of_frame[name], part)


def test_of_a_list_of_frames_the_index_tells_which_series(fitted, make_series):
    frames = [
        pd.DataFrame(make_series(count, seed=1), columns=NAMES, index=times(count, start))
        for count, start in ((40, "2026-01-01"), (25, "2026-01-01"))
    ]
    scores = fitted.decision_function(frames)
    assert scores.index.names == ["series", "time"] and len(scores) == 65
    for number, frame in enumerate(frames):
        pd.testing.assert_series_equal(
            scores.loc[number], fitted.decision_function(frame), check_freq=False
        )
    assert fitted.explain(frames).loc[1].shape == (25, 3)
    arrays = [frame.to_numpy() for frame in frames]
    np.testing.assert_array_equal(scores, fitted.decision_function(arrays))


def test_arrays_and_a_mixed_list_get_arrays(fitted, make_series):
    values = make_series(30)
    frame = pd.DataFrame(values, columns=NAMES)
    for X in (values, values.tolist(), [values], [frame, values], (values, frame)):
        assert type(fitted.decision_function(X)) is np.ndarray


@pytest.mark.parametrize(
    "index",
    [
        pd.RangeIndex(5, 35),
        pd.Index([7] * 30, name="doubled"),
        pd.Index([f"row {number}" for number in range(30)]),
        pd.MultiIndex.from_product([["a", "b"], range(15)], names=["server", "step"]),
    ],
    ids=["range", "doubled", "texts", "levels"],
)
def test_any_index_is_kept(index, fitted, make_series):
    frame = pd.DataFrame(make_series(30), columns=NAMES, index=index)
    pd.testing.assert_index_equal(fitted.decision_function(frame).index, index)
    joined = row_index([frame, frame])
    assert joined.nlevels == index.nlevels + 1 and len(joined) == 60
    pd.testing.assert_index_equal(joined[30:].droplevel(0), index, exact="equiv")


def test_columns_keep_their_labels_and_must_be_in_the_order_of_training(fitted, make_series):
    frame = pd.DataFrame(make_series(30), columns=NAMES)
    with pytest.raises(InputError, match="columns are disk, memory, cpu, expected those"):
        fitted.predict(frame[NAMES[::-1]])
    fitted.predict(frame[NAMES[::-1]][list(fitted.feature_names_)])


def test_a_pandas_series_is_a_series_of_one_feature(tiny_config, make_series):
    settings = {**tiny_config, "epochs": 1, "steps_per_epoch": 2}
    column = pd.Series(make_series(200)[:, 0], index=times(200), name="cpu")
    detector = ContrastiveGANDetector(**settings).fit(column, verbose=False)
    assert detector.feature_names_ == ("cpu",)
    scores = detector.decision_function(column)
    pd.testing.assert_index_equal(scores.index, column.index)
    np.testing.assert_array_equal(scores, detector.decision_function(column.to_frame()))
    assert detector.explain([column, column]).columns.tolist() == ["cpu"]
    with pytest.raises(InputError, match="columns are feature_0, expected those of training"):
        detector.decision_function(column.rename(None))


def test_of_a_dict_the_index_tells_the_keys():
    frames = {name: pd.DataFrame({"cpu": [1.0, 2.0]}, index=times(2)) for name in ("web-1", "db")}
    index = row_index(frames)
    assert index.names == ["entity", "time"]
    assert index.get_level_values("entity").tolist() == ["web-1", "web-1", "db", "db"]
    assert row_index({"web-1": frames["db"], "db": np.zeros((2, 1))}) is None
