"""The load test of the server: it finds lost, doubled and wrong answers, and runs as a whole."""

import json

import numpy as np
import orjson
import pytest

pytest.importorskip("uvicorn")
pytest.importorskip("fastapi")


@pytest.fixture(scope="module")
def script(load_script):
    return load_script("serving")


@pytest.fixture(scope="module")
def export_dir(tiny_detector, tmp_path_factory):
    from tsad_keras.export.writer import export_saved_model

    folder = tmp_path_factory.mktemp("benchmark") / "tiny"
    export_saved_model(tiny_detector, folder)
    return folder


@pytest.fixture(scope="module")
def material(script, export_dir):
    script.NUM_WINDOWS = 64
    return script.Material(export_dir)


def answer(scores):
    return orjson.dumps({"outputs": {"anomaly_score": scores}}, option=orjson.OPT_SERIALIZE_NUMPY)


def test_requests_that_are_under_way_together_share_no_window(material):
    for batch_size, together in ((1, 32), (2, 32), (8, 8)):
        for first in range(0, 100):
            chosen = [material.chosen(first + i, batch_size) for i in range(together)]
            if len({2 * ((first + i) * batch_size // 64) for i in range(together)}) == 1:
                assert len(set(sum(chosen, []))) == batch_size * together
        assert all(len(set(one)) == batch_size for one in chosen)
    assert len({tuple(material.chosen(i, 8)) for i in range(200)}) > 150


def test_no_two_windows_score_alike(material):
    scores = material.scores
    distances = np.abs(scores[:, None] - scores[None]).max(axis=2)
    distances += scores.max() * np.eye(len(scores))
    assert distances.min() > 100 * 1e-5 * scores.max()


def test_both_formats_say_the_same(script, material):
    chosen = material.chosen(3, 4)
    values = np.array(json.loads(material.body(3, 4, "json"))["inputs"], np.float32)
    np.testing.assert_array_equal(values, material.windows[chosen])
    assert material.body(3, 4, "npy") == script.to_npy(material.windows[chosen])


def test_only_the_right_scores_in_the_right_order_pass(material):
    scores = material.scores[material.chosen(5, 4)]
    assert material.is_right(5, 4, answer(scores))
    assert not material.is_right(5, 4, answer(scores[::-1].copy()))
    assert not material.is_right(6, 4, answer(scores))
    assert not material.is_right(5, 4, answer(scores[:3]))
    assert not material.is_right(5, 4, answer(scores * 1.001))
    assert not material.is_right(5, 4, b'{"error":"no"}')
    assert not material.is_right(5, 4, b"<html>")


def test_the_verdict_counts(script, material):
    load = script.Load(None, material, 1, "json", 10, 1.0)
    load.num_sent = 5
    right = [answer(material.scores[material.chosen(i, 1)]) for i in range(5)]
    load.answers = [(0, right[0]), (1, right[1]), (1, right[1]), (2, right[3])]
    assert load.verdict() == {"lost": 2, "duplicated": 1, "wrong": 1}


@pytest.mark.slow
def test_a_short_run(script, export_dir, material, capsys):
    arguments = ["--export-dir", str(export_dir), "--seconds", "0.2", "--concurrency", "1", "4"]
    arguments += ["--batch-sizes", "2", "--bare-seconds", "0.1"]
    assert script.main(arguments) == 0
    result = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert [(row["format"], row["concurrency"]) for row in result["rows"]] == [
        ("json", 1),
        ("json", 4),
        ("npy", 1),
        ("npy", 4),
    ]
    for row in result["rows"]:
        assert row["requests"] > 0
        assert row["lost"] == row["duplicated"] == row["wrong"] == 0
        assert 0 < row["p50_ms"] <= row["p99_ms"]
    assert len(result["ratio"]) == 4


@pytest.mark.slow
def test_a_short_memory_run(script, export_dir, material, capsys):
    arguments = ["--export-dir", str(export_dir), "--minutes", "0.02", "--batch-sizes", "2"]
    assert script.main([*arguments, "--concurrency", "2"]) == 0
    result = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert np.isfinite(result["slope_mb_per_minute"])
    assert all(row["resident_mb"] > 0 for row in result["rows"])
