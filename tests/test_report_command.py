"""`report`: a page for a trained model and a person's own rows, with and without labels."""

from __future__ import annotations

import json
import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
import pytest

from tsad_keras.cli import EXIT_BAD_INPUT, main
from tsad_keras.reporting.packing import unpack

SMALL = {
    **{"window-size": 20, "patch-size": 5, "score-stride": 10, "batch-size": 8},
    **{"hidden-dim": 16, "num-heads": 2, "intermediate-dim": 16, "discriminator-dim": 16},
    **{"epochs": 2, "steps-per-epoch": 2},
}
TINY = ["--quiet", *(word for name, value in SMALL.items() for word in (f"--{name}", str(value)))]
NAMES = ["cpu", "<b>disk</b>", "</script>"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory, make_series):
    """A model, rows with an anomaly, their labels, and what `score` says about them."""
    folder = tmp_path_factory.mktemp("report")
    pd.DataFrame(make_series(300), columns=NAMES).to_csv(folder / "train.csv", index=False)
    test = pd.DataFrame(make_series(150, seed=1), columns=NAMES)
    test.iloc[60:70, 1] += 30
    test.insert(0, "time", pd.date_range("2021-02-01", periods=150, freq="h"))
    test.to_csv(folder / "test.csv", index=False)
    labels = pd.DataFrame({"time": test["time"], "label": 0})
    labels.loc[60:69, "label"] = 1
    labels.to_csv(folder / "labels.csv", index=False)
    test.assign(label=labels["label"]).to_csv(folder / "with_labels.csv", index=False)
    words = ["--train-file", str(folder / "train.csv"), "--model-dir", str(folder / "model")]
    assert main(["train", *words, *TINY]) == 0
    return folder


def report(folder, *words):
    names = [folder / word if str(word).endswith(".csv") else word for word in words]
    return main(["report", "--model-dir", str(folder / "model"), *map(str, names)])


def data_of(path):
    return json.loads(path.read_text(encoding="utf-8").split('id="data">')[1].split("</script>")[0])


def test_without_labels_the_page_has_the_scores_of_score_and_no_metric(folder, tmp_path, capsys):
    assert report(folder, "--input", "test.csv", "--output", tmp_path / "new/r.html") == 0
    assert "150 time steps, " in capsys.readouterr().out
    words = ["--input", str(folder / "test.csv"), "--output", str(tmp_path / "s.csv")]
    assert main(["score", "--model-dir", str(folder / "model"), *words]) == 0
    scores = pd.read_csv(tmp_path / "s.csv")
    data = data_of(tmp_path / "new/r.html")
    assert np.allclose(unpack(data["scores"], np.float32), scores["anomaly_score"], rtol=1e-5)
    starts, ends = (unpack(data["alarm_runs"][name], np.int32) for name in ("starts", "ends"))
    assert (ends - starts).sum() == scores["is_anomaly"].sum() > 0
    assert data["true_runs"] is None and data["times"]["kind"] == "date"
    assert [feature["name"] for feature in data["features"]] == NAMES
    page = (tmp_path / "new/r.html").read_text(encoding="utf-8")
    assert "VUS-PR" not in page.split("<script>")[0] and "<h1>test.csv</h1>" in page
    assert "2 of 2" in page or "1 of 2" in page  # best epoch


@pytest.mark.parametrize(
    "words", [["--input", "test.csv", "--labels", "labels.csv"], ["--input", "with_labels.csv"]]
)
def test_with_labels_floors_stand_before_the_detector(words, folder, tmp_path):
    assert report(folder, *words, "--output", tmp_path / "r.html") == 0
    page = (tmp_path / "r.html").read_text(encoding="utf-8")
    table = page.split('<table class="results">')[1].split("</table>")[0]
    places = [table.index(name) for name in ("Random", "Always alarm", "Contrastive-GAN")]
    assert places == sorted(places)
    assert "compared with chance and with always alarm only" in page
    runs = data_of(tmp_path / "r.html")["true_runs"]
    assert [unpack(runs[name], np.int32).tolist() for name in ("starts", "ends")] == [[60], [70]]


def test_causal_scores_are_those_of_score_causal(folder, tmp_path):
    assert report(folder, "--input", "test.csv", "--causal", "--output", tmp_path / "r.html") == 0
    words = ["--input", str(folder / "test.csv"), "--output", str(tmp_path / "s.csv"), "--causal"]
    assert main(["score", "--model-dir", str(folder / "model"), *words]) == 0
    scores = pd.read_csv(tmp_path / "s.csv")["anomaly_score"]
    assert np.allclose(
        unpack(data_of(tmp_path / "r.html")["scores"], np.float32), scores, rtol=1e-5
    )


def test_labels_of_other_rows_are_refused_and_nothing_is_written(folder, tmp_path, capsys):
    pd.read_csv(folder / "labels.csv").head(100).to_csv(tmp_path / "l.csv", index=False)
    words = ["--input", str(folder / "test.csv"), "--labels", str(tmp_path / "l.csv")]
    model = ["report", "--model-dir", str(folder / "model")]
    assert main([*model, *words, "--output", str(tmp_path / "r.html")]) == EXIT_BAD_INPUT
    assert "holds 100 labels, expected 150" in capsys.readouterr().err
    assert not (tmp_path / "r.html").exists()


def test_a_file_that_is_read_is_never_replaced(folder, capsys):
    assert report(folder, "--input", "test.csv", "--output", "test.csv") == EXIT_BAD_INPUT
    assert "is also the file that is read" in capsys.readouterr().err


def test_a_pipe_gets_the_page_alone(folder, capfd):
    capfd.readouterr()
    read, write = os.pipe()
    with ThreadPoolExecutor() as pool, os.fdopen(read, encoding="utf-8") as pipe:
        page = pool.submit(pipe.read)
        assert report(folder, "--input", "test.csv", "--output", f"/dev/fd/{write}") == 0
        os.close(write)
        assert page.result().startswith("<!DOCTYPE html>")
    output, errors = capfd.readouterr()
    assert output == "" and "150 time steps" in errors
