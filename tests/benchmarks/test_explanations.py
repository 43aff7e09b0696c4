"""The script on explanations, on small series with segments in known features."""

import json

import pytest

from tsad_keras.datasets.base import AnomalySegment, TimeSeriesDataset


@pytest.fixture
def script(load_script, make_series, tiny_config, monkeypatch):
    module = load_script("explanations")
    test = make_series(300, seed=2)
    test[200:204, 1] += 20
    segment = AnomalySegment(200, 204, "spike", (1,))
    dataset = TimeSeriesDataset(
        "smd", "m", make_series(), test, None, tuple("abc"), test_segments=(segment,)
    )
    monkeypatch.setattr(module, "load_dataset", lambda *_: dataset)
    measure = module.measure
    monkeypatch.setattr(module, "measure", lambda *words: measure(*words, **tiny_config))
    return module


@pytest.mark.slow
def test_prints_tables_and_one_json_line(script, capsys):
    assert script.main(["--entities", "m-1", "m-2", "--seeds", "1"]) == 0
    lines = capsys.readouterr().out.splitlines()
    found = json.loads(lines[-1])
    assert [(run["entity"], run["seed"]) for run in found["runs"]] == [("m-1", 0), ("m-2", 0)]
    assert len([line for line in lines if line.startswith("| Random order |")]) == 3
    random, _, ours = found["mean"]["rows"]
    assert random["hit_rate_100"] == pytest.approx(1 / 3)
    assert ours["hit_rate_100"] == ours["peak_ndcg_5"] == 1


@pytest.mark.parametrize("words", [[], ["--seeds", "0"]])
def test_bad_input_is_one_line(load_script, tmp_path, capsys, words):
    assert load_script("explanations").main(["--data-dir", str(tmp_path), *words]) == 2
    assert capsys.readouterr().err.count("\n") == 1
