"""Slopes are those of a power law; the script measures and draws what it says."""

import json

import numpy as np
import pytest


@pytest.fixture(scope="module")
def script(load_script):
    return load_script("growth")


@pytest.mark.parametrize("exponent", [0.0, 1.0, 2.0, 0.5])
def test_slope_of_a_power_law(script, exponent):
    points = [(size, 3e-4 * size**exponent) for size in (10, 20, 40, 160)]
    assert script.slope(points) == pytest.approx(exponent, abs=1e-9)


def test_slope_is_that_of_least_squares(script):
    random = np.random.default_rng(0)
    sizes = np.array([1.0, 2, 4, 8, 16])
    costs = sizes**1.3 * np.exp(random.normal(0, 0.1, 5))
    x, y = np.log(sizes), np.log(costs)
    expected = ((x - x.mean()) * (y - y.mean())).sum() / ((x - x.mean()) ** 2).sum()
    assert script.slope(list(zip(sizes, costs, strict=True))) == pytest.approx(expected)


def test_one_size_has_no_slope(script):
    assert script.slope([(100, 1.0)]) is None
    assert script.slope([(100, 1.0), (100, 2.0)]) is None


def test_prints_and_draws(script, capsys, monkeypatch, tmp_path):
    asked = []

    def measure(axis, sizes, repeats):
        asked.append((axis, tuple(sizes), repeats))
        return {
            "scoring": [(size, 0.01 * size) for size in sizes],
            script.TRAINED[axis]: [(size, 0.01 * size**2) for size in sizes],
        }

    monkeypatch.setattr(script, "measure", measure)
    monkeypatch.setattr(script, "use_threads", lambda count: None)
    monkeypatch.setattr(script, "_fitted", lambda *_: None)
    path = tmp_path / "growth.png"
    assert script.main(["--rows", "10", "20", "--figure", str(path), "--repeats", "2"]) == 0
    result = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert asked[0] == ("rows", (10, 20), 2)
    assert [axis for axis, *_ in asked] == ["rows", "features", "window size", "entities"]
    assert result["axes"]["rows"]["scoring"]["slope"] == pytest.approx(1)
    assert result["axes"]["rows"]["fit"]["slope"] == pytest.approx(2)
    assert result["axes"]["window size"]["training step"]["sizes"] == [50, 100, 200, 400]
    assert path.read_bytes().startswith(b"\x89PNG")


@pytest.mark.slow
def test_measures_both_costs_at_every_size(script):
    times = script.measure("entities", (1,), 1)
    assert {name: [size for size, _ in points] for name, points in times.items()} == {
        "scoring": [1],
        "fit": [1],
    }
    assert all(seconds > 0 for points in times.values() for _, seconds in points)
