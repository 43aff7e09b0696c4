"""Every way to score is compared with forward passes over the very windows that it needs."""

import json

import numpy as np
import pytest

from tsad_keras.scoring import score_points
from tsad_keras.windows import window_starts


@pytest.fixture(scope="module")
def script(load_script):
    return load_script("scoring")


@pytest.fixture(scope="module")
def cases(script, tmp_path_factory):
    folder = tmp_path_factory.mktemp("scoring")
    return folder, script.make_cases(folder, 1000, 3)


@pytest.mark.slow
def test_the_bare_passes_are_those_that_the_scores_need(script, cases):
    _, ways = cases
    outputs = np.concatenate(ways[script.BARE]())
    # 1000 rows: 19 windows in a batch of 64, which is filled up.
    assert outputs.shape[:2] == (64, 100)
    starts = window_starts(1000, 100, 50)
    sums, counts = np.zeros((1000, outputs.shape[2])), np.zeros((1000, 1))
    for start, values in zip(starts, outputs, strict=False):
        sums[start : start + 100] += values
        counts[start : start + 100] += 1

    class Recorder:
        calls = 0

        def __call__(self, windows):
            Recorder.calls += len(windows)
            return outputs

    points = score_points(
        np.zeros((1000, 3)), Recorder(), window_size=100, stride=50, batch_size=64
    )
    assert Recorder.calls == len(outputs)
    np.testing.assert_allclose(points, sums / counts, rtol=1e-12)


@pytest.mark.slow
def test_all_ways_give_the_same_scores(cases):
    folder, ways = cases
    scores = ways["decision_function"]()
    assert scores.shape == (1000,)
    np.testing.assert_allclose(ways["SavedModel"](), scores, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(ways["SavedModel, its graph"](), scores, rtol=1e-3, atol=1e-4)
    for name in ("score a CSV file", "score a Parquet file"):
        ways[name]()
        written = np.loadtxt(folder / "scores.csv", delimiter=",", skiprows=1)
        np.testing.assert_allclose(written[:, 1], scores, rtol=1e-3, atol=1e-9)
    assert ways["reading the CSV file"]() == ways["reading the Parquet file"]() == 1000


@pytest.mark.slow
def test_commands_without_a_model_start_without_tensorflow(script, cases):
    folder, _ = cases
    found = script.startup(folder, 1)
    assert {name for name, row in found.items() if not row["tensorflow"]} == {"--help", "evaluate"}
    assert found["score 200 rows"]["cpu_seconds"] > found["evaluate"]["cpu_seconds"]


@pytest.mark.slow
def test_last_line_is_json_with_every_ratio(script, capsys, monkeypatch):
    monkeypatch.setattr(script, "use_threads", lambda count: None)
    names = (script.BARE, "decision_function", "SavedModel", *script.FILES, script.START)
    ways = {name: (lambda: sum(range(20_000))) for name in names}
    ways[script.FILES[0]] = lambda: sum(range(60_000))
    monkeypatch.setattr(script, "make_cases", lambda *_: ways)
    assert script.main(["--rows", "700", "--rounds", "2", "--starts", "0"]) == 0
    result = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert result["scoring"][script.BARE]["of_bare"] == 1.0
    assert "met" not in result["scoring"][script.BARE]
    for name in script.JUDGED:
        row = result["scoring"][name]
        assert row["met"] == (row["of_bare"] <= 1.5)
        assert row["points_per_second"] == pytest.approx(700e3 / row["ms"])
    whole, later = (result["scoring"][script.FILES[0] + end]["ms"] for end in ("", script.LATER))
    assert 0 < later < whole
