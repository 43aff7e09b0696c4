"""Score files of a series whose level has moved: they say what `predict` says."""

import logging
import os
import threading

import numpy as np
import pandas as pd
import pytest

from tsad_keras.inference import score_files
from tsad_keras.inference.score_files import score_file
from tsad_keras.streaming import StreamingDetector


@pytest.fixture(scope="module")
def moved(make_series):
    return make_series(2300, seed=1) + 20


@pytest.fixture
def source(moved, tiny_detector, tmp_path):
    times = pd.date_range("2021-01-01", periods=len(moved), freq="min")
    frame = pd.DataFrame(moved, columns=tiny_detector.feature_names_)
    frame.insert(0, "time", times.where(times < times[1200], times + pd.Timedelta("1D")))
    frame.to_csv(tmp_path / "moved.csv", index=False)
    return tmp_path / "moved.csv"


@pytest.mark.parametrize("chunk_size", [333, 10_000])
def test_decisions_are_those_of_predict(
    chunk_size, source, moved, tiny_detector, tmp_path, monkeypatch, caplog
):
    monkeypatch.setattr(score_files, "_BLOCK_BYTES", 500)  # lines are read again in blocks
    output = tmp_path / "s.csv"
    with caplog.at_level(logging.WARNING, "tsad_keras"):
        counts = score_file(tiny_detector, source, output, chunk_size=chunk_size)
    expected = tiny_detector.predict(moved)
    written = pd.read_csv(output)
    assert written["is_anomaly"].tolist() == expected.tolist()
    assert counts == (2300, expected.sum()) and 0 < expected.mean() <= 0.1
    scores = tiny_detector.decision_function(moved)
    np.testing.assert_allclose(written["anomaly_score"], scores, rtol=1e-5)
    (record,) = caplog.records
    assert "of 2300 rows reach the threshold" in record.getMessage()


def test_each_series_between_gaps_is_judged_by_itself(source, moved, tiny_detector, tmp_path):
    score_file(tiny_detector, source, tmp_path / "s.csv", max_gap=3600.0)
    expected = tiny_detector.predict([moved[:1200], moved[1200:]])
    assert pd.read_csv(tmp_path / "s.csv")["is_anomaly"].tolist() == expected.tolist()


@pytest.mark.parametrize("max_gap", [None, 3600.0])
def test_causal_decisions_are_those_of_a_stream(max_gap, source, tiny_detector, tmp_path):
    score_file(tiny_detector, source, tmp_path / "s.csv", causal=True, max_gap=max_gap)
    frame = pd.read_csv(source, index_col="time", parse_dates=True)
    stream = StreamingDetector(tiny_detector, max_gap=max_gap)
    alarms = stream.update(frame.to_numpy(), frame.index.to_numpy()).alarms
    assert pd.read_csv(tmp_path / "s.csv")["is_anomaly"].tolist() == alarms.tolist()
    assert alarms[:1000].mean() > 0.9 and alarms[1000:].mean() < 0.3


def test_a_pipe_gets_the_same_lines(source, tiny_detector, tmp_path):
    pipe, received = tmp_path / "pipe", []
    os.mkfifo(pipe)
    reader = threading.Thread(target=lambda: received.append(pipe.read_text()))
    reader.start()
    score_file(tiny_detector, source, pipe, max_gap=3600.0)
    reader.join()
    score_file(tiny_detector, source, tmp_path / "s.csv", max_gap=3600.0)
    assert received == [(tmp_path / "s.csv").read_text()]
