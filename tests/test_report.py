"""The report in Markdown and on the terminal, from a made-up result."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from tsad_keras.config import Config
from tsad_keras.datasets.base import TimeSeriesDataset
from tsad_keras.report import format_result, print_table
from tsad_keras.reporting.aggregate import mean_warnings
from tsad_keras.reporting.alarms import group_alarms, largest_alarms, list_alarms
from tsad_keras.reporting.drift import drift_facts, drift_warnings
from tsad_keras.reporting.facts import (
    data_facts,
    data_fingerprint,
    distributions,
    feature_facts,
    jsonable,
)
from tsad_keras.reporting.markdown import run_markdown
from tsad_keras.reporting.published import PSM, audit_warning
from tsad_keras.reporting.tables import COLUMNS


def method(name: str, value: float, **changes) -> dict:
    row = {
        "method": name,
        "is_detector": False,
        "is_floor": False,
        "metrics": {column.key: value for column in COLUMNS},
        "threshold": 1.5,
        "alarm_rate": 0.02,
        "expected_false_alarm_rate": 0.005,
        "false_alarm_rate": 0.01,
        "fit_seconds": 1.0,
        "score_seconds": 0.1,
    }
    return {**row, **changes}


def summary(ours: float = 0.8, name: str = "smd", **changes) -> dict:
    statistics = distributions({"test": np.arange(10.0)}, np.arange(10) > 7)
    feature = {"feature": "cpu|load", "share": 0.75, "value": 99.5, "train_mean": 12.25}
    shifted = {"feature": "cpu|load", "shift": 0.4, "train_mean": 12.25, "test_mean": 12.65}
    result = {
        "kind": "run",
        "dataset": {
            "name": name,
            "entity": "machine-1-6",
            "num_train": 1000,
            "num_test": 500,
            "num_features": 2,
            "missing_train": 0.25,
            "missing_test": 0.0,
            "test_starts": None,
            "test_ends": None,
            "has_labels": True,
            "anomaly_ratio": 0.1,
            "num_events": 3,
            "median_event_length": 5.0,
            "notes": [],
            "is_stand_in": False,
        },
        "warnings": [],
        "drift": {"mean_shift": 0.25, "worst_features": [shifted]},
        "seed": 0,
        "methods": [
            method("Random", 0.1, is_floor=True),
            method("Always alarm", 0.65, is_floor=True),
            method("PCA error", 0.7),
            method("Contrastive-GAN detector", ours, is_detector=True),
        ],
        "window_level": None,
        "explanations": None,
        "threshold": {
            "value": 1.5,
            "in_effect": 1.5,
            "reached_rate": 0.01,
            "max_alarm_rate": 0.1,
            "method": "pot",
            "expected_false_alarm_rate": 0.005,
        },
        "statistics": dict.fromkeys(
            ("reconstruction_error", "realism", "anomaly_score"), statistics
        ),
        "features": [
            {
                "feature": "cpu|load",
                "train_mean": 12.25,
                "train_std": 1.0,
                "missing_train": 0.5,
                "missing_test": 0.0,
                "score_share": 0.6,
                "alarm_share": None,
            }
        ],
        "num_alarms": 3,
        "num_alarm_groups": 2,
        "alarm_groups": [
            {
                "start": 10,
                "end": 20,
                "start_time": "2024-01-01 00:10:00",
                "end_time": "2024-01-01 00:19:00",
                "length": 10,
                "num_alarms": 3,
                "peak_row": 12,
                "peak_score": 3.5,
                "hits_event": False,
                "top_features": [feature],
            }
        ],
        "num_epochs": 3,
        "best_epoch": 2,
        "was_resumed": False,
        "seconds": {"fit": 1.0, "score": 1.0, "total": 2.0},
        "peak_memory_mb": 900.0,
        "versions": {"tsad_keras": "0.1.0"},
        "config": Config().to_dict(),
        "files": ["figures/scores_whole.png"],
        "folder": "/somewhere/out",
    }
    return {**result, **changes}


class TestMarkdown:
    def test_headline_tells_a_defeat_as_plainly_as_a_win(self):
        top = run_markdown(summary(0.8)).split("## Result")[0]
        assert "VUS-PR **0.800**, above every baseline; the best of these is PCA error" in top
        top = run_markdown(summary(0.6)).split("## Result")[0]
        assert "**not** above every baseline; the best of these is PCA error with 0.700" in top

    def test_a_floor_that_is_better_is_a_defeat_too(self):
        rows = [method("Random", 0.9, is_floor=True), method("Ours", 0.8, is_detector=True)]
        assert "**not** above every baseline" in run_markdown(summary(methods=rows))

    def test_top_tells_data_and_alarms_before_the_table(self):
        top = run_markdown(summary()).split("| method")[0]
        assert "1,000 training rows, 500 test rows, 2 features; 10.00 %" in top
        assert "**Alarms**: 3 (in 2 groups), on 2.00 % of the test rows" in top
        assert "stated false-alarm rate 0.50 %, actual 1.00 %" in top

    def test_tables_are_rectangular_even_with_bars_in_names(self):
        lines = [line for line in run_markdown(summary()).splitlines() if line.startswith("|")]
        assert any("cpu\\|load" in line for line in lines)
        widths = [line.replace("\\|", "").count("|") for line in lines]
        starts = [i for i, line in enumerate(lines) if line.startswith("| :") or "--:" in line]
        assert len(starts) >= 7
        for start in starts:
            assert widths[start - 1] == widths[start] == widths[start + 1]

    def test_floors_are_never_marked_as_best(self):
        line = next(
            line for line in run_markdown(summary()).splitlines() if line.startswith("| Always")
        )
        assert "**" not in line

    def test_point_adjustment_is_last_and_warned_of(self):
        text = run_markdown(summary())
        heading = next(line for line in text.splitlines() if "VUS-PR |" in line)
        assert heading.rstrip(" |").endswith("PA-F1 (oracle, inflated)")
        assert "PA-F1 proves nothing" in text

    def test_alarm_line_has_times_peak_and_features(self):
        text = run_markdown(summary())
        line = next(line for line in text.splitlines() if line.startswith("| 10–19"))
        assert "2024-01-01 00:10:00" in line and "3.5" in line and "| no |" in line
        assert "99.5 (train mean 12.25, 75% of the score)" in line

    def test_notes_come_before_any_number(self):
        result = summary()
        result["dataset"]["notes"] = ["stand-in features"]
        text = run_markdown(result)
        assert text.index("stand-in features") < text.index("VUS-PR")

    def test_only_figures_that_exist_are_embedded(self):
        text = run_markdown(summary())
        assert "](figures/scores_whole.png)" in text
        assert "confusion_matrix" not in text

    def test_no_alarm_is_said(self):
        assert "no score reached" in run_markdown(
            summary(alarm_groups=[], num_alarms=0, num_alarm_groups=0)
        )


class TestPublished:
    def test_psm_numbers_stand_beside_ours_with_their_source(self):
        text = run_markdown(summary(0.5, name="psm"))
        for row in PSM:
            assert f"| {row.value:.4g} |" in text and row.source in text
        assert "(TAB)" not in run_markdown(summary(0.5, name="smd"))

    def test_too_good_a_result_asks_for_an_audit(self):
        assert "audit" in run_markdown(summary(0.9, name="psm"))
        assert "audit" in format_result(summary(0.9, name="psm"))
        assert audit_warning("psm", summary(0.5)["methods"]) == ""
        assert audit_warning("smd", summary(0.9)["methods"]) == ""

    @pytest.mark.parametrize("show", [run_markdown, format_result])
    def test_stand_in_features_are_compared_with_nothing_published(self, show):
        result = summary(0.9, name="psm")
        result["dataset"]["is_stand_in"] = True
        text = show(result)
        assert "TranAD" not in text and "audit" not in text
        assert "No comparison with published numbers: the features are a stand-in" in " ".join(
            text.split()
        )

    def test_a_note_decides_what_is_a_stand_in(self, dataset):
        assert not data_facts(dataset)["is_stand_in"]
        other = dataclasses.replace(dataset, notes=("n", "STAND-IN, not PSM: generated"))
        assert data_facts(other)["is_stand_in"]


class TestTerminal:
    def test_lines_fit_and_columns_align(self, capsys):
        result = summary()
        result["dataset"]["notes"] = ["a note " * 30]
        print_table(result)
        lines = capsys.readouterr().out.splitlines()
        assert max(map(len, lines)) <= 100
        table = [line for line in lines if line.startswith(("method", "Random", "PCA error"))]
        assert len({len(line) for line in table[:3]}) == 1

    def test_it_ends_with_where_everything_lies(self):
        tail = format_result(summary()).split("\n\n")[-1]
        for name in ("report.md", "results_summary.json", "scores.csv", "figures/", "model/"):
            assert f"/somewhere/out/{name}" in tail

    def test_published_numbers_fit_too(self):
        text = format_result(summary(0.9, name="psm"))
        assert "TranAD" in text and "audit" in text
        assert max(map(len, text.splitlines())) <= 100

    def test_notes_are_loud(self):
        result = summary()
        result["dataset"]["notes"] = ["stand-in features"]
        assert "NOTE ON THE DATA: stand-in features" in format_result(result)

    def test_without_labels_no_metric_is_shown(self):
        result = summary()
        result["dataset"]["has_labels"] = False
        for row in result["methods"]:
            row["metrics"], row["false_alarm_rate"] = {}, None
        text = format_result(result)
        assert "VUS-PR" not in text and "no labels" in text and "2.00 %" in text

    def test_window_level_is_shown(self):
        metrics = {"precision_score": 0.9, "recall_score": 1.0, "f1_score": 0.95}
        window_level = {"num_windows": 99, "num_anomalous": 15, "stride": 50}
        window_level["metrics"] = {**metrics, "roc_auc_score": 0.99}
        text = format_result(summary(window_level=window_level))
        assert "99 windows, 15 anomalous" in text and "F1 0.950" in text


@pytest.fixture
def dataset():
    random = np.random.default_rng(0)
    train, test = random.normal(size=(50, 3)), random.normal(size=(40, 3))
    train[:10, 0] = np.nan
    test[7, 2] = np.nan
    labels = np.zeros(40, int)
    labels[[5, 6, 20]] = 1
    return TimeSeriesDataset("own", "x", train, test, labels, list("abc"), notes=("n",))


class TestFacts:
    def test_alarms_have_their_peak_and_its_features(self, dataset):
        contributions = np.full((40, 3), 0.1)
        contributions[7] = [1.0, 2.0, 5.0]
        predictions = np.zeros(40, int)
        predictions[6:9] = predictions[39] = 1
        first, last = list_alarms(dataset, contributions, contributions.sum(axis=1), predictions)
        assert (first["start"], first["end"], first["peak_row"]) == (6, 9, 7)
        assert first["peak_score"] == 8.0 and first["hits_event"]
        assert [top["feature"] for top in first["top_features"]] == ["c", "b", "a"]
        assert first["top_features"][0]["value"] is None  # missing at the peak
        assert first["top_features"][0]["share"] == 5 / 8
        assert first["top_features"][2]["train_mean"] == pytest.approx(
            np.nanmean(dataset.train[:, 0])
        )
        assert last["end"] == 40 and not last["hits_event"] and last["start_time"] is None

    def test_largest_alarms_stay_in_time_order(self):
        alarms = [{"start": i, "peak_score": score} for i, score in enumerate([3, 1, 2, 5])]
        assert [alarm["start"] for alarm in largest_alarms(alarms, 2)] == [0, 3]

    def test_data_facts(self, dataset):
        facts = data_facts(dataset)
        assert (facts["num_events"], facts["median_event_length"]) == (2, 1.5)
        assert facts["missing_train"] == pytest.approx(10 / 150)
        assert facts["anomaly_ratio"] == pytest.approx(3 / 40)

    def test_fingerprint_follows_values_labels_and_names(self, dataset):
        same = dataclasses.replace(dataset, train=dataset.train.copy())
        assert data_fingerprint(same) == data_fingerprint(dataset)
        changes = {
            "test": dataset.test + 1e-12,
            "test_labels": None,
            "feature_names": tuple("abd"),
            "notes": (),
        }
        for name, value in changes.items():
            other = dataclasses.replace(dataset, **{name: value})
            assert data_fingerprint(other) != data_fingerprint(dataset), name

    def test_feature_shares_sum_to_one(self, dataset):
        contributions = np.random.default_rng(0).random((40, 3))
        facts = feature_facts(dataset, contributions, np.arange(40) == 3)
        assert sum(fact["score_share"] for fact in facts) == pytest.approx(1)
        assert facts[1]["alarm_share"] == contributions[3, 1] / contributions[3].sum()
        none = feature_facts(dataset, contributions, np.zeros(40, int))
        assert none[0]["alarm_share"] is None

    def test_distributions_of_a_missing_class_are_none(self):
        parts = distributions({"train": np.ones(3), "test": np.ones(4)}, np.zeros(4, int))
        assert parts["test, anomalous"] is None and parts["test, normal"]["mean"] == 1.0

    def test_json_has_no_infinity(self):
        assert jsonable({"a": np.array([1.0, np.inf])}) == {"a": [1.0, None]}

    def test_near_alarms_are_one_group_with_the_highest_peak(self):
        alarms = [
            {
                "start": start,
                "end": end,
                "start_time": str(start),
                "end_time": str(end - 1),
                "length": end - start,
                "peak_row": start,
                "peak_score": score,
                "hits_event": hits,
                "top_features": [score],
            }
            for start, end, score, hits in [(5, 7, 2.0, False), (10, 11, 9.0, True), (16, 18, 1, 0)]
        ]
        first, last = group_alarms(alarms, 3)
        assert (first["start"], first["end"], first["length"]) == (5, 11, 6)
        assert (first["start_time"], first["end_time"]) == ("5", "10")
        assert (first["peak_row"], first["top_features"], first["num_alarms"]) == (10, [9.0], 2)
        assert first["hits_event"] and not last["hits_event"] and last["num_alarms"] == 1
        assert len(group_alarms(alarms, 5)) == 1 and group_alarms([], 5) == []
        assert alarms[0]["end"] == 7  # the single alarms stay as they are


class TestDrift:
    def test_distance_is_that_of_the_means_in_train_deviations(self, dataset):
        train = np.random.default_rng(1).normal(size=(60, 3))
        test = train[:40] + [0.0, 2.0, 0.0]
        test[:, 2] = np.nan
        other = dataclasses.replace(dataset, train=train, test=test)
        drift = drift_facts(other, clip=10.0)
        worst = drift["worst_features"]
        assert [each["feature"] for each in worst] == ["b", "a"]  # c has no value on test
        shift = abs(test[:, 1].mean() - train[:, 1].mean()) / train[:, 1].std()
        assert worst[0]["shift"] == pytest.approx(shift)
        assert drift["mean_shift"] == pytest.approx((shift + worst[1]["shift"]) / 2)

    def test_no_feature_counts_more_than_the_clip(self, dataset):
        drift = drift_facts(dataclasses.replace(dataset, test=dataset.test + 1e6), clip=10.0)
        assert drift["mean_shift"] == 10.0

    def test_labels_change_nothing(self, dataset):
        other = dataclasses.replace(dataset, test_labels=None)
        assert drift_facts(other, 10.0) == drift_facts(dataset, 10.0)

    def test_warnings_come_only_with_a_reason(self):
        row, plain = method("Ours", 0.5, is_detector=True), summary()["threshold"]
        assert drift_warnings({"mean_shift": 0.5}, plain, row) == []
        assert drift_warnings({"mean_shift": None}, plain, row) == []
        (warning,) = drift_warnings({"mean_shift": 0.8}, plain, row)
        assert "0.80 train standard deviations" in warning and "more false alarms" in warning
        many = {**row, "alarm_rate": 0.3, "false_alarm_rate": None}
        (warning,) = drift_warnings({"mean_shift": 0.1}, plain, many)
        assert "30.00 %" in warning and "60 times" in warning
        assert drift_warnings({"mean_shift": 0.1}, plain, {**many, "alarm_rate": 0.19}) == []
        # labels that show the alarms to be right speak against a change of normal behaviour
        right, wrong = ({**many, "false_alarm_rate": rate} for rate in (0.01, 0.2))
        assert drift_warnings({"mean_shift": 0.1}, plain, right) == []
        assert drift_warnings({"mean_shift": 0.1}, plain, wrong) != []
        raised = {**plain, "in_effect": 7.0, "reached_rate": 0.61}
        (warning,) = drift_warnings({"mean_shift": 0.1}, raised, row)
        assert "61.00 % of all time steps reach" in warning and "highest 10.00 %" in warning

    def test_a_raised_threshold_is_told(self):
        plain = summary()
        raised = summary(threshold={**plain["threshold"], "in_effect": 7.25, "reached_rate": 0.61})
        assert "judged by 7.25" in run_markdown(raised)
        assert "judged by" not in run_markdown(plain)

    @pytest.mark.parametrize("show", [run_markdown, format_result])
    def test_warnings_are_shown(self, show):
        assert "load has moved" in show(summary(warnings=["load has moved"]))
        assert "warning" not in show(summary()).lower()

    def test_report_lists_the_farthest_features(self):
        text = run_markdown(summary())
        assert "**0.250**" in text and "| cpu\\|load | 0.4 | 12.25 | 12.65 |" in text

    def test_a_mean_names_the_entities_with_warnings(self):
        runs = [
            {"warnings": warnings, "dataset": {"entity": f"m-{index}"}}
            for index, warnings in enumerate([[], ["x"], ["x", "y"]])
        ]
        (warning,) = mean_warnings(runs)
        assert "2 of 3 runs" in warning and "(m-1, m-2)" in warning
        assert mean_warnings(runs[:1]) == []
