"""Gaps, rates and columns of own files on the command line: one set of rules for all commands."""

import contextlib
import io

import numpy as np
import pandas as pd
import pytest

from tsad_keras import load_detector
from tsad_keras.cli import EXIT_BAD_INPUT, main

SMALL = {
    **{"window-size": 20, "patch-size": 5, "score-stride": 10, "batch-size": 8},
    **{"hidden-dim": 16, "num-heads": 2, "intermediate-dim": 16, "discriminator-dim": 16},
    **{"epochs": 1, "steps-per-epoch": 2, "memory-size": 20},
}
TINY = ["--quiet", *(word for name, value in SMALL.items() for word in (f"--{name}", str(value)))]


@pytest.fixture(scope="module")
def folder(tmp_path_factory, make_series):
    """300 rows a minute apart, with gaps of an hour behind rows 100 and 110, and a model."""
    folder = tmp_path_factory.mktemp("own")
    minutes = np.arange(300) + 60 * (np.arange(300) >= 100) + 60 * (np.arange(300) >= 110)
    frame = pd.DataFrame(make_series(300), columns=["a", "b", "c"])
    frame.insert(0, "time", pd.Timestamp("2021-01-01") + pd.to_timedelta(minutes, "min"))
    frame.to_csv(folder / "gaps.csv", index=False)
    frame.iloc[::2].to_csv(folder / "half.csv", index=False)
    frame.assign(d=1.0).to_csv(folder / "more.csv", index=False)
    (folder / "output.txt").write_text(train(folder, "model", "gaps.csv", "--max-gap", "600"))
    return folder


def train(folder, model, *words):
    paths = [str(folder / word) if word.endswith(".csv") else word for word in words]
    words = ["train", "--train-file", *paths, "--model-dir", str(folder / model), *TINY]
    with contextlib.redirect_stdout(io.StringIO()) as output:
        assert main(words) == 0
    return output.getvalue()


def score(folder, output, *words, source="gaps.csv"):
    source = ["--input", str(folder / source), "--output", str(output), "--quiet"]
    assert main(["score", "--model-dir", str(folder / "model"), *source, *words]) == 0
    return pd.read_csv(output)


def rows(folder, name="gaps.csv"):
    return pd.read_csv(folder / name, index_col="time").to_numpy()


def test_a_gap_begins_a_new_series_in_training(folder):
    assert "trained on 3 series with 300 rows" in (folder / "output.txt").read_text()
    # The piece of ten rows is shorter than a window and left out; the tails of both others are
    # kept for validation (`split_tail`: a window at least).
    values = rows(folder)
    seen = np.concatenate([values[:80], values[110:280]])
    assert np.allclose(load_detector(folder / "model").scaler_.mean_, seen.mean(axis=0))


@pytest.mark.parametrize("causal", [False, True])
def test_each_series_is_scored_as_if_it_stood_alone(folder, tmp_path, causal):
    words = ["--max-gap", "600", *["--causal"] * causal]
    found = score(folder, tmp_path / "s.csv", *words)
    detector, values = load_detector(folder / "model"), rows(folder)
    pieces = [values[:100], values[100:110], values[110:]]
    if not causal:  # a series shorter than a window gets its first row repeated in front
        pieces[1] = np.concatenate([np.repeat(pieces[1][:1], 10, axis=0), pieces[1]])
    scores = [detector.decision_function(piece, causal=causal) for piece in pieces]
    expected = np.concatenate([scores[0], scores[1][-10:], scores[2]])
    assert len(found) == 300 and np.allclose(found["anomaly_score"], expected, rtol=1e-5)
    assert found["time"].tolist()[99:101] == ["2021-01-01T01:39", "2021-01-01T02:40"]
    for size in (1, 7, 100, 105):
        cut = score(folder, tmp_path / "cut.csv", *words, "--chunk-size", str(size))
        assert cut["time"].equals(found["time"])
        # Causal windows are batched as they come, and float32 rounds by batch.
        close = 1e-5 if causal else 0
        assert np.allclose(cut["anomaly_score"], found["anomaly_score"], rtol=close, atol=0)


def test_without_the_flag_rows_are_neighbours_whatever_their_times(folder, tmp_path):
    found = score(folder, tmp_path / "s.csv")
    expected = load_detector(folder / "model").decision_function(rows(folder))
    assert np.allclose(found["anomaly_score"], expected, rtol=1e-5)


def test_a_model_refuses_rows_of_another_rate(folder, tmp_path, capsys):
    source = ["--input", str(folder / "gaps.csv"), "--output", str(tmp_path / "no.csv"), "--quiet"]
    words = ["score", "--model-dir", str(folder / "coarse"), *source]
    train(folder, "coarse", "gaps.csv", "--resample", "2min")
    assert main(words) == EXIT_BAD_INPUT  # the model knows its rate
    errors = capsys.readouterr().err
    assert "has a row every 60 s, the model was trained on one every 120 s" in errors
    assert "--resample 120s takes means" in errors and not (tmp_path / "no.csv").exists()
    assert main([*words, "--resample", "none"]) == 0
    assert main([*words, "--resample", "120s"]) == 0
    assert len(pd.read_csv(tmp_path / "no.csv")) == 150


def test_means_are_the_same_in_any_chunks(folder, tmp_path):
    coarse = ["--resample", "2min", "--model-dir", str(folder / "coarse")]
    whole = score(folder, tmp_path / "whole.csv", *coarse)
    assert len(whole) == 150 and whole["time"][1] == "2021-01-01T00:02"
    score(folder, tmp_path / "cut.csv", *coarse, "--chunk-size", "7")
    assert (tmp_path / "cut.csv").read_bytes() == (tmp_path / "whole.csv").read_bytes()
    labels = pd.read_csv(folder / "gaps.csv")[["time"]].assign(label=0)
    labels.loc[50:52, "label"] = 1
    labels.to_csv(tmp_path / "labels.csv", index=False)
    words = ["--scores", str(tmp_path / "whole.csv"), "--labels", str(tmp_path / "labels.csv")]
    assert main(["evaluate", *words, "--resample", "2min"]) == 0
    assert main(["evaluate", *words]) == EXIT_BAD_INPUT


@pytest.mark.parametrize(
    ("words", "fragment"),
    [
        (["gaps.csv", "half.csv"], "half has a row every 120 s, unlike gaps with one every 60 s"),
        (["gaps.csv", "more.csv"], "more.csv has d, expected the columns of training"),
        (["gaps.csv", "--columns", "a", "z"], "gaps.csv has no column 'z'"),
        (["gaps.csv", "--resample", "often"], "resample is 'often', expected an interval"),
        (["gaps.csv", "--max-gap", "30"], "the longest training series has 1 time steps"),
    ],
)
def test_what_does_not_fit_together_is_one_line(folder, capsys, words, fragment):
    paths = [str(folder / word) if word.endswith(".csv") else word for word in words]
    command = ["train", "--train-file", *paths, "--model-dir", str(folder / "no"), *TINY]
    assert main(command) == EXIT_BAD_INPUT
    errors = capsys.readouterr().err
    assert fragment in errors and errors.count("\n") == 1
    assert not (folder / "no").exists()


def test_a_column_of_one_file_only_is_left_out_by_name(folder, tmp_path):
    train(folder, "common", "gaps.csv", "more.csv", "--columns", "a", "b", "c")
    model = load_detector(folder / "common")
    assert model.feature_names_ == ("a", "b", "c")
    found = score(folder, tmp_path / "s.csv", "--columns", "a", "b", "c", source="more.csv")
    assert len(found) == 300
