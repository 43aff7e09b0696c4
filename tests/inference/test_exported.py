"""An export loaded without Keras has the verbs of its detector, and their answers."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest

from tsad_keras.errors import InputError
from tsad_keras.export.requests import difference
from tsad_keras.export.writer import export_saved_model
from tsad_keras.inference.export_folders import list_versions
from tsad_keras.inference.exported import ExportedDetector, load_export


@pytest.fixture(scope="module")
def folder(tiny_detector, tmp_path_factory):
    """Holds version 1; do not change, copy."""
    folder = tmp_path_factory.mktemp("exports") / "tiny"
    export_saved_model(tiny_detector, folder)
    return folder


@pytest.fixture(scope="module")
def loaded(folder):
    return load_export(folder)


@pytest.fixture(scope="module")
def series(make_series):
    """117 rows with gaps, also at the start, and a value beyond the clip."""
    values = make_series(117, seed=3)
    values[np.random.default_rng(0).random(values.shape) < 0.1] = np.nan
    values[:4, 1] = np.nan
    values[50, 0] = 1e6
    return values


@pytest.mark.parametrize("causal", [False, True])
def test_scores_decisions_and_reasons_are_those_of_the_detector(
    loaded, tiny_detector, series, causal
):
    for values in (series, series[:20], series[40:61]):
        scores = loaded.decision_function(values, causal=causal)
        expected = tiny_detector.decision_function(values, causal=causal)
        assert difference(scores, expected) < 1e-5
        alarms = loaded.predict(values, causal=causal)
        np.testing.assert_array_equal(alarms, tiny_detector.predict(values, causal=causal))
        reasons = loaded.explain(values, causal=causal)
        assert difference(reasons, tiny_detector.explain(values, causal=causal)) < 1e-5
    both = loaded.decision_function([series, series[:33]], causal=causal)
    assert both.shape == (150,)


def test_causal_scores_ask_for_the_last_time_steps_alone(folder, series, monkeypatch):
    loaded = load_export(folder)
    asked = []
    monkeypatch.setattr(loaded, "_reconstruct", lambda **windows: asked.append(windows))
    scores = loaded.decision_function(series, causal=True)
    assert asked == []

    monkeypatch.undo()
    monkeypatch.setattr(loaded, "_last_outputs", None)  # an export that has no such signature
    assert difference(loaded.decision_function(series, causal=True), scores) < 1e-5


@pytest.mark.parametrize("causal", [False, True])
def test_pieces_give_the_scores_of_the_whole(loaded, series, causal):
    pieces = [series[:7], series[7:8], series[8:90], series[90:]]
    joined = np.concatenate(list(loaded.iterate_explained(pieces, causal=causal)))
    assert difference(joined, loaded.explain(series, causal=causal)) < 1e-5


def test_window_scores_are_those_of_the_detector(loaded, tiny_detector, series):
    starts, scores = loaded.score_windows(series, stride=9)
    expected_starts, expected = tiny_detector.score_windows(series, stride=9)
    np.testing.assert_array_equal(starts, expected_starts)
    assert difference(scores, expected) < 1e-5


def test_what_a_caller_can_read_off(loaded, tiny_detector):
    assert loaded.config == tiny_detector.config
    assert loaded.feature_names_ == tiny_detector.feature_names_
    assert loaded.weights_sha256_ == tiny_detector.weights_sha256_
    for name in (
        *("threshold_", "causal_threshold_", "window_threshold_", "score_level_"),
        *("causal_score_level_", "expected_false_alarm_rate_"),
    ):
        assert getattr(loaded, name) == getattr(tiny_detector, name), name
    np.testing.assert_array_equal(loaded.error_scale_, tiny_detector.error_scale_)
    assert loaded.metadata["num_features"] == 3


def test_signatures_are_called_by_name(loaded, tiny_detector, series):
    import tensorflow as tf

    outputs = loaded.signature("score_series")(series=tf.constant(series, tf.float32))
    expected = tiny_detector.decision_function(series)
    assert difference(outputs["anomaly_score"].numpy(), expected) < 1e-5
    with pytest.raises(
        InputError, match="no signature 'score', expected one of last_outputs, reconstruct"
    ):
        loaded.signature("score")


def test_frames_and_wrong_series(loaded, tiny_detector, series):
    frame = pd.DataFrame(series, columns=list("abc"))
    np.testing.assert_array_equal(loaded.decision_function(frame), loaded.decision_function(series))
    with pytest.raises(InputError, match="has 19 time steps, expected at least window_size"):
        loaded.decision_function(series[:19])
    with pytest.raises(InputError, match="has 2 features, expected the 3 of training"):
        loaded.decision_function(series[:, :2])
    with pytest.raises(InputError, match="is infinite"):
        loaded.decision_function(np.full((20, 3), np.inf))
    assert np.isfinite(loaded.decision_function(np.full((20, 3), 1e300))).all()


def test_versions(folder, tmp_path):
    for name in ("2", "10"):
        shutil.copytree(folder / "1", tmp_path / name)
    (tmp_path / "11").mkdir()  # nothing in it yet
    (tmp_path / "012").mkdir()
    assert list_versions(tmp_path) == [2, 10]
    assert load_export(tmp_path).directory == tmp_path / "10"
    assert load_export(tmp_path, version=2).directory == tmp_path / "2"
    assert load_export(tmp_path / "2").directory == tmp_path / "2"
    assert list_versions(tmp_path / "nowhere") == []
    with pytest.raises(InputError, match="has no version 3, expected one of 2, 10"):
        load_export(tmp_path, version=3)
    with pytest.raises(InputError, match="holds no exported version"):
        load_export(tmp_path / "nowhere")


def edit(path, change):
    metadata = json.loads(path.read_text())
    change(metadata)
    path.write_text(json.dumps(metadata))


DAMAGES = {
    "graph": (lambda f: (f / "saved_model.pb").write_bytes(b"x"), "is damaged"),
    "variables": (lambda f: shutil.rmtree(f / "variables"), "is damaged"),
    "no metadata": (lambda f: (f / "assets" / "metadata.json").unlink(), "does not exist"),
    "no JSON": (lambda f: (f / "assets" / "metadata.json").write_text("{"), "is damaged"),
    "a list": (lambda f: (f / "assets" / "metadata.json").write_text("[]"), "is damaged"),
    "a later format": (
        lambda f: edit(f / "assets" / "metadata.json", lambda m: m.update(format_version=1)),
        "has format 1, expected 5; export again",
    ),
    "no threshold": (
        lambda f: edit(f / "assets" / "metadata.json", lambda m: m.pop("threshold")),
        "is damaged ('threshold')",
    ),
    "a strange setting": (
        lambda f: edit(f / "assets" / "metadata.json", lambda m: m["config"].update(speed=1)),
        "unknown setting 'speed'",
    ),
    "names": (
        lambda f: edit(f / "assets" / "metadata.json", lambda m: m.update(feature_names=None)),
        "is damaged",
    ),
}


@pytest.mark.parametrize("name", DAMAGES)
def test_damaged_exports_are_refused(name, folder, tmp_path):
    damage, fragment = DAMAGES[name]
    shutil.copytree(folder / "1", tmp_path / "1")
    damage(tmp_path / "1")
    with pytest.raises(InputError) as raised:
        ExportedDetector(tmp_path / "1")
    assert fragment in str(raised.value) and "\n" not in str(raised.value)
