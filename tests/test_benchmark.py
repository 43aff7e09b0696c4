"""Whole runs of a tiny detector: what the folder holds, resuming, means."""

from __future__ import annotations

import copy
import csv
import dataclasses
import json
import math
import shutil

import numpy as np
import pytest

from tsad_keras.baselines import AlwaysAlarmBaseline, L2NormBaseline
from tsad_keras.benchmark import reproduce, reproduce_entity
from tsad_keras.benchmark.methods import baseline_result, score_detector, window_level_result
from tsad_keras.benchmark.run import FORMAT
from tsad_keras.config import Config
from tsad_keras.datasets import load_dataset
from tsad_keras.detector import ContrastiveGANDetector, load_detector
from tsad_keras.errors import InputError
from tsad_keras.evaluation import evaluate_scores
from tsad_keras.reporting.aggregate import mean_methods

TINY = Config(
    window_size=20,
    score_stride=10,
    epochs=1,
    steps_per_epoch=2,
    hidden_dim=16,
    num_heads=2,
    intermediate_dim=16,
    discriminator_dim=16,
    projection_dim=8,
    batch_size=8,
    false_alarm_rate=0.05,
)
SIZES = {"num_train": 600, "num_test": 400, "num_features": 4}


@pytest.fixture(scope="module")
def dataset():
    return load_dataset("synthetic", **SIZES)


@pytest.fixture(scope="module")
def run(dataset, tmp_path_factory):
    folder = tmp_path_factory.mktemp("run") / "out"
    return reproduce_entity(dataset, TINY, folder, verbose=False), folder


def read(folder):
    def refuse(constant):
        raise AssertionError(f"{constant} in JSON")

    text = (folder / "results_summary.json").read_text(encoding="utf-8")
    return json.loads(text, parse_constant=refuse)


class TestFolder:
    def test_holds_what_is_promised(self, run):
        _, folder = run
        names = [
            "report.md",
            "report.html",
            "history.csv",
            "scores.csv",
            "config.json",
            "model/detector.npz",
        ]
        names += [f"figures/{name}.png" for name in ("training_curves", "scores_whole")]
        names += ["figures/scores_best_stretch.png", "figures/scores_worst_stretch.png"]
        names += ["figures/confusion_matrix.png", "figures/distributions.png"]
        for name in names:
            assert (folder / name).stat().st_size > 0, name
        assert set(names) <= set(read(folder)["files"])
        assert not (folder / "checkpoint.npz").exists()

    def test_result_is_what_the_file_says(self, run):
        result, folder = run
        assert {**read(folder), "folder": str(folder)} == result

    def test_model_gives_the_scores_of_the_file(self, run, dataset):
        result, folder = run
        with (folder / "scores.csv").open() as file:
            rows = list(csv.DictReader(file))
        assert list(rows[0]) == ["time", "anomaly_score", "is_anomaly"]
        assert rows[0]["time"].startswith("2024-01-01")
        scores = np.array([float(row["anomaly_score"]) for row in rows])
        detector = load_detector(folder / "model")
        np.testing.assert_allclose(scores, detector.decision_function(dataset.test), rtol=1e-5)
        alarms = [int(row["is_anomaly"]) for row in rows]
        np.testing.assert_array_equal(alarms, scores >= result["threshold"]["value"])

    def test_metrics_are_those_of_the_file(self, run, dataset):
        result, folder = run
        table = np.genfromtxt(folder / "scores.csv", delimiter=",", skip_header=1)[:, 1:]
        expected = evaluate_scores(dataset.test_labels, table[:, 0], table[:, 1].astype(int))
        ours = result["methods"][-1]
        assert ours["is_detector"]
        for name, value in expected.items():
            assert ours["metrics"][name] == pytest.approx(value, abs=1e-9), name
        normal = dataset.test_labels == 0
        assert ours["false_alarm_rate"] == pytest.approx(table[normal, 1].mean())
        assert ours["expected_false_alarm_rate"] == 0.05

    def test_explanations_are_judged_by_the_true_features(self, run):
        result, folder = run
        rows = result["explanations"]["rows"]
        assert [row["ranking"] for row in rows][-1] == "Contrastive-GAN detector"
        assert result["explanations"]["num_segments"] == result["dataset"]["num_events"]
        text = (folder / "report.md").read_text(encoding="utf-8")
        assert "## Explanations" in text
        assert f"| {rows[1]['hit_rate_100']:.3f} |" in text

    def test_config_reads_back(self, run):
        assert Config.from_json(run[1] / "config.json") == TINY

    def test_alarms_are_the_runs_of_alarmed_steps(self, run, dataset):
        result, folder = run
        flags = np.zeros(dataset.num_test, int)
        means = dict(zip(dataset.feature_names, dataset.train.mean(axis=0), strict=True))
        for alarm in result["alarms"]:
            flags[alarm["start"] : alarm["end"]] = 1
            assert alarm["hits_event"] == dataset.test_labels[alarm["start"] : alarm["end"]].any()
            top = alarm["top_features"][0]
            column = dataset.feature_names.index(top["feature"])
            assert top["value"] == dataset.test[alarm["peak_row"], column]
            assert top["train_mean"] == pytest.approx(means[top["feature"]])
        table = np.genfromtxt(folder / "scores.csv", delimiter=",", skip_header=1)
        np.testing.assert_array_equal(flags, table[:, 2])

    def test_alarm_groups_hold_all_alarms(self, run):
        result, _ = run
        assert sum(group["num_alarms"] for group in result["alarm_groups"]) == result["num_alarms"]
        assert result["num_alarm_groups"] == len(result["alarm_groups"])
        ends = [group["end"] for group in result["alarm_groups"]]
        starts = [group["start"] for group in result["alarm_groups"]]
        assert all(b - a > TINY.window_size // 2 for a, b in zip(ends, starts[1:], strict=False))

    def test_drift_is_told(self, run):
        result, folder = run
        assert result["drift"]["mean_shift"] >= 0 and result["drift"]["worst_features"]
        assert "## Drift" in (folder / "report.md").read_text()

    def test_statistics_cover_all_parts(self, run):
        for name in ("reconstruction_error", "realism", "anomaly_score"):
            parts = run[0]["statistics"][name]
            assert list(parts) == ["train", "validation", "test", "test, normal", "test, anomalous"]
            assert all(math.isfinite(value) for part in parts.values() for value in part.values())
        realism = run[0]["statistics"]["realism"]["test"]
        assert 0 <= realism["mean"] <= realism["max"] <= 1


class TestResuming:
    @pytest.fixture
    def copied(self, run, tmp_path):
        """A finished run whose training, if it begins again, is interrupted at once."""
        shutil.copytree(run[1], tmp_path / "out")
        return tmp_path / "out"

    @pytest.fixture(autouse=True)
    def interrupted(self, run, monkeypatch):  # run first: it needs the real fit
        def interrupt(*args, **kwargs):
            raise KeyboardInterrupt

        monkeypatch.setattr(ContrastiveGANDetector, "fit", interrupt)

    def test_finished_run_is_not_computed_again(self, run, dataset, copied):
        result = reproduce_entity(dataset, TINY, copied, verbose=False)
        assert result == {**run[0], "folder": str(copied)}

    @pytest.mark.parametrize(
        "change", ["config", "labels", "test", "segments", "notes", "file", "format", "json"]
    )
    def test_anything_else_is_and_leaves_no_old_results(self, change, dataset, copied):
        config = TINY
        if change == "config":
            config = dataclasses.replace(TINY, learning_rate=1e-4)
        elif change == "labels":
            dataset = dataclasses.replace(dataset, test_labels=1 - dataset.test_labels)
        elif change == "test":
            dataset = dataclasses.replace(dataset, test=dataset.test + 1e-9)
        elif change == "segments":
            dataset = dataclasses.replace(dataset, test_segments=dataset.test_segments[:1])
        elif change == "notes":
            dataset = dataclasses.replace(dataset, notes=("stand-in features",))
        elif change == "file":
            (copied / "scores.csv").unlink()
        elif change == "format":
            text = (copied / "results_summary.json").read_text()
            old = text.replace(f'"format": {FORMAT}', f'"format": {FORMAT - 1}')
            (copied / "results_summary.json").write_text(old)
        else:
            text = (copied / "results_summary.json").read_text()
            (copied / "results_summary.json").write_text(text[: len(text) // 2])
        with pytest.raises(KeyboardInterrupt):
            reproduce_entity(dataset, config, copied, verbose=False)
        assert not (copied / "results_summary.json").exists()
        assert not (copied / "report.md").exists()
        assert not (copied / "report.html").exists()
        assert not list(copied.glob("figures/*.png"))


@pytest.mark.parametrize(("learning_rate", "was_resumed"), [(1e-3, True), (1e-4, False)])
def test_only_a_checkpoint_of_this_training_counts_as_resumed(
    dataset, tmp_path, learning_rate, was_resumed
):
    config = dataclasses.replace(TINY, learning_rate=1e-3)
    path = tmp_path / "checkpoint.npz"  # left by a training that was killed before it was saved
    ContrastiveGANDetector.from_config(config).fit(
        dataset.train, feature_names=dataset.feature_names, verbose=False, checkpoint_path=path
    )
    config = dataclasses.replace(config, learning_rate=learning_rate)
    arguments = (dataset.train, dataset.test, dataset.feature_names, config, tmp_path)
    assert score_detector(*arguments, verbose=False).was_resumed is was_resumed


def test_labels_change_no_method(run, dataset, tmp_path):
    other = dataclasses.replace(dataset, test_labels=np.roll(dataset.test_labels, 77))
    result = reproduce_entity(other, TINY, tmp_path, verbose=False)
    for before, after in zip(run[0]["methods"], result["methods"], strict=True):
        assert before["threshold"] == after["threshold"]
        assert before["alarm_rate"] == after["alarm_rate"]
    first, second = run[1] / "scores.csv", tmp_path / "scores.csv"
    assert first.read_text() == second.read_text()


def test_without_labels_there_are_alarms_and_no_metrics(dataset, tmp_path):
    test = dataset.test.copy()
    test[50:60, 1] = test[:, 2] = np.nan  # and missing values are no obstacle
    unlabelled = dataclasses.replace(dataset, test=test, test_labels=None, test_timestamps=None)
    result = reproduce_entity(unlabelled, TINY, tmp_path, verbose=False)
    assert result["dataset"]["missing_test"] > 0.25
    assert all(row["metrics"] == {} for row in result["methods"])
    assert all(row["false_alarm_rate"] is None for row in result["methods"])
    assert 0 <= result["methods"][-1]["alarm_rate"] <= 1
    assert "no labels" in (tmp_path / "report.md").read_text()
    assert (tmp_path / "figures/scores_highest_stretch.png").exists()
    assert not (tmp_path / "figures/confusion_matrix.png").exists()
    assert (tmp_path / "scores.csv").read_text().splitlines()[1].startswith("0,")
    read(tmp_path)


def test_seeds_give_mean_and_spread_and_synthetic_data_follow_the_seed(tmp_path):
    options = {"output_dir": tmp_path, "verbose": False, "data_options": SIZES}
    result = reproduce("synthetic", config=dataclasses.replace(TINY, seed=5), seeds=2, **options)
    assert result == {**read(tmp_path), "folder": str(tmp_path)}
    assert result["kind"] == "mean" and result["seeds"] == [5, 6]
    runs = [read(tmp_path / f"seed-{seed}") for seed in (5, 6)]
    assert runs[0]["dataset"]["fingerprint"] != runs[1]["dataset"]["fingerprint"]
    values = [single["methods"][-1]["metrics"]["vus_pr_score"] for single in runs]
    row = result["methods"][-1]
    assert row["metrics"]["vus_pr_score"] == pytest.approx(np.mean(values))
    assert row["metrics_spread"]["vus_pr_score"] == pytest.approx(np.std(values, ddof=1))
    assert "standard deviation" in (tmp_path / "report.md").read_text()
    for single in result["runs"]:
        assert (tmp_path / single["folder"] / "report.md").is_file()


def test_entities_get_a_folder_each_and_a_mean(run, dataset, tmp_path, monkeypatch):
    names, values = ["valve1/0", "valve2/0"], [0.25, 0.75]

    def load(name, entity, data_dir):
        return dataclasses.replace(dataset, name=name, entity=entity)

    def made_up_run(loaded, config, folder, *, verbose):
        result = copy.deepcopy(run[0])
        result["dataset"]["entity"], result["folder"] = loaded.entity, str(folder)
        result["methods"][-1]["metrics"]["f1_score"] = values[names.index(loaded.entity)]
        return result

    monkeypatch.setattr("tsad_keras.benchmark.runs.load_dataset", load)
    monkeypatch.setattr("tsad_keras.benchmark.runs.list_entities", lambda *_: names)
    monkeypatch.setattr("tsad_keras.benchmark.runs.run_once", made_up_run)
    result = reproduce("skab", "all", config=TINY, output_dir=tmp_path, verbose=False)
    assert result["methods"][-1]["metrics"]["f1_score"] == 0.5
    assert result["methods"][-1]["metrics_spread"] == {}
    assert [single["folder"] for single in result["runs"]] == ["valve1_0", "valve2_0"]
    assert "mean over 2 entities" in (tmp_path / "report.md").read_text()


@pytest.mark.parametrize("entities", ["nowhere", []])
def test_unknown_or_no_entity_is_refused(entities, tmp_path):
    with pytest.raises(InputError, match="expected"):
        reproduce("synthetic", entities, config=TINY, output_dir=tmp_path, verbose=False)


def test_seeds_below_one_are_refused(dataset, tmp_path):
    with pytest.raises(InputError, match="seeds is 0"):
        reproduce_entity(dataset, TINY, tmp_path, seeds=0)


def test_a_test_part_shorter_than_a_window_is_refused_before_the_training(tmp_path):
    short = load_dataset("synthetic", num_train=600, num_test=19, num_features=4)
    with pytest.raises(InputError, match="has 19 time steps, expected at least window_size"):
        reproduce_entity(short, TINY, tmp_path / "out", verbose=False)
    assert not (tmp_path / "out" / "history.csv").exists()


def test_spread_is_that_of_the_seeds_means():
    def single(seed, value):
        row = {"method": "m", "is_detector": True, "is_floor": False, "alarm_rate": 0.1}
        row |= {"expected_false_alarm_rate": 0.1, "false_alarm_rate": None}
        row |= {"fit_seconds": 1.0, "score_seconds": 1.0, "metrics": {"f1_score": value}}
        return {"seed": seed, "methods": [row]}

    # two entities far apart, two seeds alike: the entities' distance is no spread
    rows = mean_methods([single(0, 0.1), single(0, 0.9), single(1, 0.2), single(1, 0.9)])
    assert rows[0]["metrics"]["f1_score"] == pytest.approx(0.525)
    assert rows[0]["metrics_spread"]["f1_score"] == pytest.approx(np.std([0.5, 0.55], ddof=1))
    assert rows[0]["false_alarm_rate"] is None


def test_window_is_anomalous_if_any_of_its_steps_is():
    class Stub:
        config = Config(window_size=10, patch_size=5, score_stride=5, stride=5)
        window_threshold_ = 0.5

        def score_windows(self, X, stride):
            starts = np.arange(0, len(X) - 9, stride)
            return starts, np.array([0.0, 0.9, 0.9, 0.0, 0.9])

    labels = np.zeros(30, int)
    labels[14] = 1  # in the windows from 5 and 10, not in those from 0, 15 and 20
    result = window_level_result(Stub(), np.zeros((30, 1)), labels)
    assert (result["num_windows"], result["num_anomalous"], result["stride"]) == (5, 2, 5)
    assert result["metrics"]["precision_score"] == pytest.approx(2 / 3)
    assert result["metrics"]["recall_score"] == 1.0


def test_hybrid_design_gets_the_window_level_protocol(dataset, tmp_path):
    config = dataclasses.replace(TINY, latent_generator=True, latent_dim=4, stride=10)
    result = reproduce_entity(dataset, config, tmp_path, verbose=False)
    assert result["window_level"]["num_windows"] == (400 - 20) // 10 + 1
    assert 0 < result["window_level"]["num_anomalous"] < result["window_level"]["num_windows"]
    assert "Window level" in (tmp_path / "report.md").read_text()


def test_rows_tell_of_rates_and_thresholds(dataset):
    row = baseline_result(
        L2NormBaseline(window_size=20), dataset.train, dataset.test, dataset.test_labels
    )
    assert row["method"] == "L2 norm" and not row["is_floor"]
    floor = baseline_result(
        AlwaysAlarmBaseline(window_size=20), dataset.train, dataset.test, dataset.test_labels
    )
    assert floor["is_floor"]
    assert floor["alarm_rate"] == floor["false_alarm_rate"] == 1.0
    assert floor["metrics"]["recall_score"] == 1.0
