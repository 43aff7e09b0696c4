"""One contract for every model of the registry, and rows that say what the detector says."""

import math

import numpy as np
import pytest

from tsad_keras.benchmark.registry import methods, models
from tsad_keras.benchmark.rows import FIELDS
from tsad_keras.benchmark.worker import METRICS, Task, run_task, settings_digest
from tsad_keras.datasets import load_dataset
from tsad_keras.detector import ContrastiveGANDetector
from tsad_keras.evaluation import evaluate_scores, vus_pr_score
from tsad_keras.version import __version__

POSTS = ["raw", "ewma5", "two5", "scales5", "burst5"]


@pytest.fixture(scope="module")
def make_task(sizes, settings):
    def make(model, seeds=(0,), ways=None, **overrides):
        own = tuple(m.name for m in methods().values() if m.model == model)
        return Task(
            dataset="synthetic",
            entity="synthetic",
            data_dir="data",
            data_options=sizes,
            model=model,
            methods=ways or own,
            seeds=seeds,
            overrides={**settings, **overrides},
        )

    return make


@pytest.fixture(scope="module")
def default_rows(make_task):
    (rows,) = run_task(make_task("contrastive-gan"))
    return {(row["method"], row["post"]): row for row in rows}


@pytest.mark.parametrize("model", [name for name in models() if name != "contrastive-gan"])
@pytest.mark.usefixtures("eagerly")
@pytest.mark.filterwarnings("ignore:Even though")  # tf.data says that it is not run eagerly
def test_every_model_gives_whole_rows_of_all_its_methods(model, make_task, monkeypatch):
    if models()[model].shared:  # a network: some steps will do
        for name in ("epochs", "steps_per_epoch"):
            monkeypatch.setitem(models()[model].settings, name, 2)
    (rows,) = run_task(make_task(model))
    check_rows(rows, model)


def test_so_does_the_default(default_rows):
    check_rows(list(default_rows.values()), "contrastive-gan")


def check_rows(rows, model):
    ways = [method.name for method in methods().values() if method.model == model]
    assert [(row["method"], row["post"]) for row in rows] == [(m, p) for m in ways for p in POSTS]
    for row in rows:
        assert set(row) == set(FIELDS)
        assert all(0 <= row[name] <= 1 for name in METRICS)
        assert math.isfinite(row["threshold"])
        assert row["fit_seconds"] >= 0
        assert row["peak_memory_mb"] is None or row["peak_memory_mb"] > 50
        assert (row["seed"], row["version_tsad_keras"]) == (0, __version__)
        if models()[model].baseline is not None:  # little trained networks may alarm everywhere
            assert row["alarm_rate"] == 1.0 if model == "always-alarm" else row["alarm_rate"] < 0.9


def test_the_default_without_a_post_is_the_detector_as_it_is(default_rows, settings, sizes):
    dataset = load_dataset("synthetic", **sizes)
    detector = ContrastiveGANDetector(**settings).fit(dataset.train, verbose=False)
    scores = detector.decision_function(dataset.test)
    row = default_rows["contrastive-gan", "raw"]
    assert row["threshold"] == pytest.approx(detector.threshold_, rel=1e-4)
    expected = evaluate_scores(dataset.test_labels, scores, scores >= detector.threshold_)
    for name in METRICS:
        assert row[name] == pytest.approx(expected[name], abs=1e-3), name
    alarms = detector.predict(dataset.test)
    assert row["false_alarm_rate"] == pytest.approx(alarms[dataset.test_labels == 0].mean())


def test_a_score_mode_is_that_of_a_detector_with_this_mode(default_rows, settings, sizes):
    dataset = load_dataset("synthetic", **sizes)
    detector = ContrastiveGANDetector(
        **{**settings, "smoothing_span": 1}, score_mode="combined", calibrate=True
    )
    detector.fit(dataset.train, verbose=False)
    expected = vus_pr_score(dataset.test_labels, detector.decision_function(dataset.test))
    row = default_rows["combined-score", "raw"]
    assert row["vus_pr_score"] == pytest.approx(expected, abs=1e-3)
    assert row["threshold"] == pytest.approx(detector.threshold_, rel=1e-4)


def test_without_calibration_no_view_is_calibrated(default_rows, settings, sizes):
    dataset = load_dataset("synthetic", **sizes)
    detector = ContrastiveGANDetector(**settings, calibrate=False)
    detector.fit(dataset.train, verbose=False)
    row = default_rows["no-calibration", "raw"]
    assert row["threshold"] == pytest.approx(detector.threshold_, rel=1e-4)
    assert default_rows["contrastive-gan", "raw"]["threshold"] != row["threshold"]


def test_the_untrained_network_is_as_it_was_built(settings, sizes):
    model = models()["untrained"]
    config = model.make_config(settings, seed=4)
    detector = ContrastiveGANDetector.from_config(config)
    detector.fit(load_dataset("synthetic", **sizes).train, verbose=False)
    from tsad_keras.detector.networks import build_networks

    fresh = build_networks(config, 4).weights()
    for name, value in detector.networks_.weights().items():
        np.testing.assert_allclose(value, fresh[name], atol=1e-25, err_msg=name)


def test_seeds_give_rows_of_their_own_and_the_same_again(make_task):
    one, two = run_task(make_task("knn-projection", seeds=(3, 4)))
    (again,) = run_task(make_task("knn-projection", seeds=(4,)))
    assert [rows[0]["seed"] for rows in (one, two)] == [3, 4]
    assert one[0]["vus_pr_score"] != two[0]["vus_pr_score"]
    assert [row["vus_pr_score"] for row in two] == [row["vus_pr_score"] for row in again]


def test_the_hash_of_settings_sees_what_matters_to_a_method(settings):
    def digest(name, **overrides):
        return settings_digest(methods()[name], {**settings, **overrides})

    assert digest("knn") == digest("knn", hidden_dim=32) != digest("knn", clip=5.0)
    assert digest("hybrid") != digest("hybrid", hidden_dim=32)
    assert digest("contrastive-gan") != digest("realism-score") != digest("no-memory")
    assert digest("random") != digest("random", smoothing_span=7)
    assert digest("l2-norm") != digest("l2-norm-clip10")
