"""The command `explain`: what it writes, and what bad input gets."""

import csv
import json
import types

import numpy as np
import pandas as pd
import pytest

from tsad_keras.cli import EXIT_BAD_INPUT, main
from tsad_keras.commands.explanations import _contribution_rows
from tsad_keras.scaling import Scaler


@pytest.fixture(scope="module")
def files(tiny_detector, make_series, tmp_path_factory):
    """A model and a CSV file with an outlier in row 44 and a gap there."""
    folder = tmp_path_factory.mktemp("explain")
    tiny_detector.save(folder / "model")
    values = make_series(90, seed=4)
    values[44, 1] += 8
    values[44, 2] = np.nan
    frame = pd.DataFrame(values, columns=tiny_detector.feature_names_)
    frame.insert(0, "time", pd.date_range("2024-01-01", periods=90, freq="min"))
    frame.to_csv(folder / "today.csv", index=False)
    return folder


def run(files, output, *words):
    paths = ["--model-dir", str(files / "model"), "--input", str(files / "today.csv")]
    return main(["explain", *paths, "--output", str(output), "--quiet", *words])


def table(path):
    with path.open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_writes_what_explain_and_attention_say(files, tiny_detector, tmp_path, capsys):
    assert run(files, tmp_path, "--row", "44", "--head", "1") == 0
    series = pd.read_csv(files / "today.csv", index_col="time")
    facts = json.loads((tmp_path / "explanation.json").read_text())
    expected = tiny_detector.explain(series).to_numpy()[44]
    assert facts["anomaly_score"] == pytest.approx(expected.sum(), rel=1e-5)
    assert (facts["row"], facts["time"]) == (44, "2024-01-01T00:44")
    rows = table(tmp_path / "contributions.csv")
    found = {row["feature"]: float(row["contribution"]) for row in rows}
    for name, value in zip(tiny_detector.feature_names_, expected, strict=True):
        assert found[name] == pytest.approx(value, rel=1e-5)
    assert [float(row["contribution"]) for row in rows] == sorted(found.values(), reverse=True)
    assert {row["feature"]: row["value"] for row in rows}["feature_2"] == ""
    with np.load(tmp_path / "attention.npz") as arrays:
        np.testing.assert_allclose(
            arrays["attention"], tiny_detector.attention(series, facts["window_start"]), rtol=1e-5
        )
    assert (tmp_path / "attention.png").read_bytes().startswith(b"\x89PNG")
    assert "row 44 (2024-01-01T00:44): score" in capsys.readouterr().out
    assert not (tmp_path / "shap.csv").exists()


def test_default_row_and_shap(files, tiny_detector, tmp_path, capsys):
    pytest.importorskip("shap")
    assert run(files, tmp_path, "--shap", "--num-features", "9") == 0
    series = pd.read_csv(files / "today.csv", index_col="time")
    facts = json.loads((tmp_path / "explanation.json").read_text())
    assert facts["row"] == int(np.argmax(tiny_detector.decision_function(series)))
    values = [float(row["shap_value"]) for row in table(tmp_path / "shap.csv")]
    difference = facts["shap"]["score"] - facts["shap"]["base_score"]
    assert len(values) == 3
    assert sum(values) == pytest.approx(difference, abs=1e-5)
    assert "SHAP (exact, 8 windows)" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--row", "90"], "row 90 came, expected 0 to 89"),
        (["--row", "-1"], "row -1 came"),
        (["--layer", "3"], "layer is 3, expected 0 to 0"),
        (["--shap", "--max-seconds", "0"], "max_seconds is 0.0"),
    ],
)
def test_bad_input_is_one_line(files, tmp_path, capsys, words, message):
    assert run(files, tmp_path / "out", *words) == EXIT_BAD_INPUT
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


def test_rows_tell_the_deviation_of_train_whatever_a_feature_counts():
    train = np.random.default_rng(0).normal(0, 3, (100, 2))
    scaler = Scaler().fit([train], np.array([0.1, 1.0]))
    detector = types.SimpleNamespace(scaler_=scaler, feature_names_=("flag", "load"))
    rows = _contribution_rows(detector, train[0], np.array([2.0, 1.0]))
    assert [row["feature"] for row in rows] == ["flag", "load"]
    np.testing.assert_allclose([row["train_std"] for row in rows], train.std(axis=0))
