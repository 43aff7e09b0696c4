"""The timing script runs and ends with one JSON object."""

import json

import pytest

from tsad_keras.evaluation import vus_scores


@pytest.fixture(scope="module")
def script(load_script):
    return load_script("metrics")


def test_last_line_is_json_with_every_size(script, capsys):
    assert script.main(["--points", "200", "400", "--repeats", "3"]) == 0
    lines = capsys.readouterr().out.splitlines()
    result = json.loads(lines[-1])
    assert [row["points"] for row in result["rows"]] == [200, 400]
    assert (result["max_window"], result["num_thresholds"]) == (100, 250)
    assert result["cores"] >= 1
    for row in result["rows"]:
        assert 0 < row["seconds_min"] <= row["seconds_median"] <= row["seconds_max"]
        expected = vus_scores(*script.make_case(row["points"]))
        assert row["vus_pr_score"] == pytest.approx(expected["vus_pr_score"], abs=1e-12)


def test_a_missing_peer_is_told_and_left_out(script, capsys, monkeypatch):
    monkeypatch.setattr(script, "_load_peer", lambda: None)
    script.main(["--points", "200", "--repeats", "1", "--peer-points", "200"])
    output = capsys.readouterr()
    assert "TSB-AD cannot be imported" in output.err
    assert "peer_seconds" not in json.loads(output.out.splitlines()[-1])["rows"][0]


def test_a_peer_is_timed_and_compared(script, capsys, monkeypatch):
    def peer(labels, scores):
        result = vus_scores(labels, scores)
        return result["vus_roc_score"], result["vus_pr_score"]

    monkeypatch.setattr(script, "_load_peer", lambda: peer)
    script.main(["--points", "200", "300", "--repeats", "1", "--peer-points", "300"])
    first, second = json.loads(capsys.readouterr().out.splitlines()[-1])["rows"]
    assert "peer_seconds" not in first
    assert second["peer_largest_difference"] == 0
