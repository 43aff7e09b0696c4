"""An ensemble as one SavedModel: the signatures, the checks, the verbs without Keras."""

import json
import shutil

import numpy as np
import pytest

from tsad_keras.errors import InputError
from tsad_keras.export.verify import verify_export
from tsad_keras.export.writer import export_saved_model
from tsad_keras.inference.exported import load_export
from tsad_keras.streaming import StreamingDetector


@pytest.fixture(scope="module", params=["calibrated", "rank"])
def ensemble(request, untrained, tiny_config):
    """Three untrained members with unlike scores, ready to score."""
    from tsad_keras.combination import Combination
    from tsad_keras.detector import EnsembleDetector

    shared = {**tiny_config, "mean": 100.0, "scale": 4.0}
    members = [
        untrained(**shared),
        untrained(**{**shared, "hidden_dim": 8}, seed=1, memory_size=0),
        untrained(**shared, clip=5.0, score_mode="combined", seed=2),
    ]
    ensemble = EnsembleDetector([member.config for member in members], request.param)
    ensemble.members_, ensemble.feature_names_ = members, members[0].feature_names_
    normal = np.random.default_rng(3).normal(100, 4, (200, 3))
    scores = [member.decision_function(normal) for member in members]
    ensemble.combination_ = Combination.of(request.param, scores)
    ensemble.threshold_ = ensemble.causal_threshold_ = ensemble.window_threshold_ = 2.5
    ensemble.score_level_ = ensemble.causal_score_level_ = 1.0
    ensemble.expected_false_alarm_rate_ = 0.01
    return ensemble


@pytest.fixture(scope="module")
def version(ensemble, tmp_path_factory):
    return export_saved_model(ensemble, tmp_path_factory.mktemp("exports") / "ensemble")


@pytest.mark.slow
def test_every_check_passes(version, ensemble):
    results = verify_export(version, ensemble)
    assert [result for result in results if not result.passed] == []
    assert {"score_series", "wrong requests", "without Keras"} <= {r.name for r in results}


def test_the_export_has_the_ensembles_verbs(version, ensemble, make_values):
    exported = load_export(version)
    values = make_values(ensemble, 130)
    for causal in (False, True):
        expected = ensemble.explain(values, causal=causal)
        assert np.allclose(exported.explain(values, causal=causal), expected, rtol=1e-4, atol=1e-5)
    stream = StreamingDetector(exported)
    scores = np.concatenate([stream.update(values[:50]).scores, stream.update(values[50:]).scores])
    assert np.allclose(scores, ensemble.decision_function(values, causal=True), rtol=1e-4)
    assert exported.weights_sha256_ == ensemble.weights_sha256_


@pytest.mark.slow
def test_a_server_answers_with_it(version, ensemble, make_values):
    from tsad_keras.serving.models import LoadedModel

    model = LoadedModel(version, 1)
    model.warm_up()
    values = make_values(ensemble, 45)
    answer = model.run("score_series", values)
    expected = ensemble.explain(values)
    assert np.allclose(answer["contribution"], expected, rtol=1e-4, atol=1e-5)
    assert np.array_equal(answer["is_anomaly"], ensemble.predict(values) == 1)


def test_a_tflite_file_is_refused_before_anything_is_written(ensemble, tmp_path):
    with pytest.raises(InputError, match="TFLite file of an ensemble was asked for"):
        export_saved_model(ensemble, tmp_path / "new", tflite=True)
    assert list(tmp_path.iterdir()) == []


def test_damaged_metadata_is_one_line(version, tmp_path):
    copy = tmp_path / "1"
    shutil.copytree(version, copy)
    path = copy / "assets" / "metadata.json"
    metadata = json.loads(path.read_text())
    metadata["ensemble"]["members"].pop()
    path.write_text(json.dumps(metadata))
    with pytest.raises(InputError, match="is damaged"):
        load_export(copy)
