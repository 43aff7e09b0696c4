"""An ensemble where a single detector is expected: tables, pages, explanations, entities."""

import csv
import json

import numpy as np
import pandas as pd
import pytest

from tsad_keras import Config, ContrastiveGANDetector, EnsembleDetector, load_detector
from tsad_keras.cli import EXIT_BAD_INPUT, main
from tsad_keras.errors import InputError

FEW = {"epochs": 1, "steps_per_epoch": 2}
NAMES = ["a", "b", "c"]


@pytest.fixture(scope="module")
def files(tmp_path_factory, tiny_config, make_series):
    """A folder with the model of an ensemble, and `today.csv` with an outlier in row 44."""
    folder = tmp_path_factory.mktemp("ensemble")
    settings = {**tiny_config, **FEW}
    configs = [Config(**settings), Config(**settings, clip=5.0, score_mode="combined", seed=2)]
    frame = pd.DataFrame(make_series(300), columns=NAMES)
    EnsembleDetector(configs).fit(frame, verbose=False).save(folder / "model")
    values = make_series(90, seed=4)
    values[44, 1] += 8
    today = pd.DataFrame(values, columns=NAMES)
    today.insert(0, "time", pd.date_range("2024-01-01", periods=90, freq="min"))
    today.to_csv(folder / "today.csv", index=False)
    return folder


@pytest.fixture(scope="module")
def ensemble(files):
    return load_detector(files / "model")


@pytest.fixture(scope="module")
def today(files):
    return pd.read_csv(files / "today.csv", index_col="time", parse_dates=True)


def run(files, command, output, *words):
    paths = ["--model-dir", str(files / "model"), "--input", str(files / "today.csv")]
    return main([command, *paths, "--output", str(output), "--quiet", *words])


def test_dataframes_in_are_dataframes_out_with_the_same_values(ensemble, today):
    values = today.to_numpy()
    scores = ensemble.decision_function(today)
    assert scores.index.equals(today.index) and scores.name == "anomaly_score"
    np.testing.assert_array_equal(scores, ensemble.decision_function(values))
    assert list(ensemble.explain(today).columns) == NAMES
    parts, expected = ensemble.components(today), ensemble.components(values)
    assert parts.index.equals(today.index) and list(parts) == list(expected)
    for name in expected:
        np.testing.assert_array_equal(parts[name], expected[name])


def test_last_outputs_are_those_of_the_last_time_step(ensemble, today):
    rows = ensemble.prepare_rows(today.to_numpy())
    windows = np.stack([rows[:20], rows[30:50]])
    expected = ensemble.window_outputs(windows)[:, -1]
    np.testing.assert_allclose(ensemble.last_outputs(windows), expected, rtol=1e-4, atol=1e-6)


def test_a_dict_of_series_is_trained_on_like_a_list(tiny_config, make_series, monkeypatch):
    seen = []

    def fit(self, series, **options):
        seen.append(series)
        raise InputError("enough")

    monkeypatch.setattr(ContrastiveGANDetector, "fit", fit)
    ensemble = EnsembleDetector([Config(**tiny_config, seed=seed) for seed in (0, 1)])
    parts = [make_series(120), make_series(120, seed=1)]
    for series in (parts, dict(zip("xy", parts, strict=True))):
        with pytest.raises(InputError, match="enough"):
            ensemble.fit(series, verbose=False)
    np.testing.assert_array_equal(seen[0], seen[1])


def test_entity_scaling_and_entities_are_refused(files, ensemble, tiny_config, tmp_path, capsys):
    configs = [Config(**tiny_config, entity_scaling=True, seed=seed) for seed in (0, 1)]
    with pytest.raises(InputError, match="entity_scaling is on for a member"):
        EnsembleDetector(configs)
    with pytest.raises(InputError, match="entity 'x' was named, but the model is an ensemble"):
        ensemble.entity("x")
    assert run(files, "score", tmp_path / "s.csv", "--entity", "x") == EXIT_BAD_INPUT
    assert "the model is an ensemble" in capsys.readouterr().err
    words = ["--dataset", "synthetic", "--entity-scaling", "--quiet"]
    assert main(["ensemble", *words, "--model-dir", str(tmp_path / "m")]) == EXIT_BAD_INPUT
    assert "entity_scaling is on for a member" in capsys.readouterr().err
    assert main(["tune", *words, "--output", str(tmp_path / "t")]) == EXIT_BAD_INPUT
    assert "expected a search without it" in capsys.readouterr().err


def test_a_page_names_the_ensemble_and_whose_losses_it_shows(files, tmp_path):
    assert run(files, "report", tmp_path / "r.html") == 0
    page = (tmp_path / "r.html").read_text(encoding="utf-8")
    assert "Ensemble of 2, calibrated" in page
    assert "Of the first of the 2 members." in page
    assert "best epoch, first member" in page


def test_explain_writes_the_wholes_reasons_and_a_members_attention(
    files, ensemble, today, tmp_path, capsys
):
    assert run(files, "explain", tmp_path, "--row", "44") == 0
    assert "attention: that of the first of 2 members" in capsys.readouterr().out
    facts = json.loads((tmp_path / "explanation.json").read_text())
    with (tmp_path / "contributions.csv").open() as file:
        rows = {row["feature"]: float(row["contribution"]) for row in csv.DictReader(file)}
    expected = ensemble.explain(today).iloc[44]
    assert facts["anomaly_score"] == pytest.approx(expected.sum(), rel=1e-5)
    assert rows == pytest.approx(expected.to_dict(), rel=1e-5)
    with np.load(tmp_path / "attention.npz") as arrays:
        first = ensemble.members_[0].attention(today, facts["window_start"])
        np.testing.assert_allclose(arrays["attention"], first, rtol=1e-5)
    with pytest.raises(InputError, match="expected one member's"):
        ensemble.attention(today)


def test_shap_takes_a_feature_away_from_every_member(ensemble, today):
    pytest.importorskip("shap")
    from tsad_keras.inference.shapley import shap_values

    found = shap_values(ensemble, today, 44, features=3, progress=False)
    assert found.is_exact and found.feature_names[0] == "b"
    assert found.values.sum() == pytest.approx(found.score - found.base_score, abs=1e-5)
    # Without any feature the whole window is the train mean.
    means = ensemble.prepare_rows(np.full((20, 3), np.nan))
    outputs = ensemble.window_outputs(means[None])[0].astype(np.float64)
    # The row's place in its window is not known here, but its score is one of the window's.
    scores = ensemble.point_judge().of_means(outputs).sum(axis=1)
    assert np.abs(scores - found.base_score).min() < 1e-5
