"""A run with an ensemble: rows of the members and of the whole, finished members kept."""

import dataclasses

import numpy as np
import pytest

from tsad_keras import report
from tsad_keras.benchmark import reproduce_entity
from tsad_keras.config import Config
from tsad_keras.datasets import load_dataset
from tsad_keras.detector import ContrastiveGANDetector, load_detector

TINY = Config(
    **{"window_size": 20, "score_stride": 10, "epochs": 1, "steps_per_epoch": 2},
    **{"hidden_dim": 16, "num_heads": 2, "intermediate_dim": 16, "discriminator_dim": 16},
    **{"projection_dim": 8, "batch_size": 8, "seed": 1},
)


@pytest.fixture(scope="module")
def dataset():
    return load_dataset("synthetic", num_train=600, num_test=400, num_features=4)


@pytest.fixture(scope="module")
def run(dataset, tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    return reproduce_entity(dataset, TINY, folder, verbose=False, members=2, combine="rank"), folder


@pytest.mark.slow
def test_the_report_shows_the_members_and_the_ensemble(run, dataset, capsys):
    result, folder = run
    rows = {row["method"]: row for row in result["methods"]}
    assert list(rows)[-3:] == ["Member 1", "Member 2", "Ensemble of 2, rank"]
    assert [rows[name]["is_detector"] for name in list(rows)[-3:]] == [False, False, True]
    text = (folder / "report.md").read_text()
    assert "| Member 2 |" in text and "| **Ensemble of 2, rank** |" in text
    page = (folder / "report.html").read_text()
    assert "Member 2" in page and "Ensemble of 2, rank" in page
    assert "Of the first of the 2 members." in page
    assert "Epochs trained (first member): 1" in text
    report.print_table(result)
    output = capsys.readouterr().out
    assert "Member 2" in output and "model/members/" in output
    ensemble = load_detector(folder / "model")
    assert [member.config.seed for member in ensemble.members_] == [2, 3]
    alarms = ensemble.predict(dataset.test)
    assert rows["Ensemble of 2, rank"]["alarm_rate"] == pytest.approx(alarms.mean())
    own = np.mean(ensemble.members_[1].predict(dataset.test))
    assert rows["Member 2"]["alarm_rate"] == pytest.approx(own)


@pytest.mark.slow
def test_a_finished_run_is_read_and_another_one_keeps_the_members(run, dataset, monkeypatch):
    result, folder = run

    def fit(self, *args, **kwargs):
        raise AssertionError("trained again")

    monkeypatch.setattr(ContrastiveGANDetector, "fit", fit)
    again = reproduce_entity(dataset, TINY, folder, verbose=False, members=2, combine="rank")
    assert again["methods"] == result["methods"]
    other = reproduce_entity(dataset, TINY, folder, verbose=False, members=2)
    assert other["methods"][-1]["method"] == "Ensemble of 2, calibrated"
    with pytest.raises(AssertionError, match="trained again"):  # one detector is another run
        reproduce_entity(dataset, dataclasses.replace(TINY), folder, verbose=False)
