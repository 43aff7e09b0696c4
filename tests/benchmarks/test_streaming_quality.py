"""The script on causal scores and re-calibration on a small series that drifts."""

import json
import types

import numpy as np
import pytest

from tsad_keras.evaluation import precision_score, recall_score


@pytest.fixture
def script(load_script, make_series, tiny_config, monkeypatch):
    module = load_script("streaming_quality")
    test = make_series(400, seed=2)
    test += np.linspace(0, 1.5, 400)[:, None]
    labels = np.zeros(400, int)
    labels[200:210] = 1
    test[200:210] += 10
    dataset = types.SimpleNamespace(train=make_series(), test=test, test_labels=labels)
    monkeypatch.setattr(module, "load_dataset", lambda *_: dataset)
    measure = module.measure
    monkeypatch.setattr(module, "measure", lambda *words: measure(*words, **tiny_config))
    return module


@pytest.mark.slow
def test_prints_both_tables_and_one_json_line(script, capsys):
    words = ["--entities", "machine-0", "--spans", "20", "--seeds", "2"]
    assert script.main(words) == 0
    lines = capsys.readouterr().out.splitlines()
    results = json.loads(lines[-1])
    rows = results["rows"]
    assert [(row["seed"], row["causal"]) for row in results["ranked"]] == [
        (0, False),
        (0, True),
        (1, False),
        (1, True),
    ]
    assert all(0 <= row["vus_pr"] <= 1 for row in results["ranked"])
    rules = ("alone", "default", "span 20")
    assert [(row["seed"], row["rule"]) for row in rows] == [(s, r) for s in (0, 1) for r in rules]
    assert sum(line.startswith("| alone |") for line in lines) == 1
    alone, _, moving = (
        np.mean([row["false_alarm_rate"] for row in rows if row["rule"] == rule]) for rule in rules
    )
    assert moving < alone


def test_judge_is_the_evaluation_of_the_alarms(script):
    labels, alarms = np.array([0, 0, 1, 1, 0]), np.array([0, 1, 1, 0, 0])
    judged = script.judge(labels, alarms)
    assert judged["false_alarm_rate"] == pytest.approx(1 / 3)
    assert judged["recall"] == recall_score(labels, alarms)
    assert judged["precision"] == precision_score(labels, alarms)


def test_bad_input_is_one_line(load_script, tmp_path, capsys):
    assert load_script("streaming_quality").main(["--data-dir", str(tmp_path)]) == 2
    assert capsys.readouterr().err.count("\n") == 1
