"""The script on what ensembles and tuned settings are worth, on tiny models."""

import csv
import json

import pytest


@pytest.fixture
def script(load_script, tiny_config, monkeypatch):
    from tsad_keras.datasets import load_dataset

    module = load_script("ensembles")

    def load(name, *, seed, num_train):
        return load_dataset(name, seed=seed, num_train=num_train, num_test=400, num_features=3)

    monkeypatch.setattr(module, "load_dataset", load)
    return module


@pytest.mark.slow
def test_prints_members_combinations_and_means(script, tiny_config, tmp_path, capsys):
    settings = {**tiny_config, "epochs": 1, "steps_per_epoch": 2}
    (tmp_path / "c.json").write_text(json.dumps(settings))
    words = ["--config", str(tmp_path / "c.json"), "--num-train", "500", "--data-seeds", "4"]
    script.main([*words, "--members", "2", "--output", str(tmp_path / "o")])
    script.main([*words, "--output", str(tmp_path / "single")])
    with (tmp_path / "o" / "results.csv").open() as file:
        rows = list(csv.DictReader(file))
    expected = ["member 0", "member 1", "ensemble, calibrated", "ensemble, rank"]
    assert [row["model"] for row in rows] == expected
    assert all(0 <= float(row["vus_pr"]) <= 1 for row in rows)
    output = capsys.readouterr().out
    value = float(rows[3]["injected_vus_pr"])
    assert f"mean of 1: ensemble, rank injected_vus_pr {value:.4f}" in output
    assert "mean of 1: single injected_vus_pr" in output
