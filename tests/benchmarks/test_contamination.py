"""The contamination study: whole runs on small data, what is not run again, means and changes."""

import csv
import json

import pandas as pd
import pytest

from tsad_keras.benchmark.processes import run_here
from tsad_keras.errors import InputError

SETTINGS = {"window_size": 20, "score_stride": 10, "smoothing_span": 5}
SIZES = {"num_train": 600, "num_test": 800, "num_features": 4}
QUICK = ("l2-norm", "knn-projection")
CONDITIONS = [("none", 0.0), ("synthetic", 0.1), ("real", 0.1)]


@pytest.fixture(scope="module")
def script(load_script):
    return load_script("contamination")


@pytest.fixture
def study(script, tmp_path):
    """Runs a small study in this process; returns its summary and the points that were run."""

    def run(method_words=QUICK, seeds=2, rates=(0, 0.1), **options):
        points = []

        def noting(tasks, jobs, on_rows):
            points.extend((task.model, *point) for task in tasks for point in task.points)
            return run_here(tasks, jobs, on_rows)

        settings = {"output": tmp_path, "overrides": SETTINGS, "runner": noting, **options}
        settings = {"data_options": {"synthetic": SIZES}, **settings}
        summary = script.run_study(
            ["synthetic"], method_words, seeds=seeds, rates=rates, **settings
        )
        return summary, points

    return run


@pytest.fixture
def without_figure(script, monkeypatch):
    """Drawing takes longer than the rest."""
    monkeypatch.setattr(script, "draw", lambda *_: None)
    monkeypatch.setattr(script, "save_figure", lambda *_: None)


def rows(folder):
    with (folder / "contamination.csv").open() as file:
        return list(csv.DictReader(file))


def test_every_point_has_rows_a_table_and_a_curve(study, tmp_path):
    summary, points = study()
    seeds = {"l2-norm": {"none": 1}, "knn-projection": {}}
    expected = [
        (model, kind, rate, seed)
        for model in QUICK
        for kind, rate in CONDITIONS
        for seed in range(seeds[model].get(kind, 2))
    ]
    assert points == expected
    found = rows(tmp_path)
    assert {row["post"] for row in found} >= {"raw", "scales5"}
    raw = [row for row in found if row["post"] == "raw"]
    assert [
        (row["method"], row["kind"], float(row["rate"]), int(row["seed"])) for row in raw
    ] == expected
    assert {row["num_replaced"] for row in raw} == {"0", "60"}
    assert summary["entities"] == ["synthetic synthetic"]
    assert [(p["kind"], p["rate"]) for p in summary["methods"]["l2-norm"]] == CONDITIONS
    text = (tmp_path / "contamination.md").read_text()
    assert "| L2 norm | 1 |" in text
    assert "different ones used at 10 %" in text
    assert (tmp_path / "contamination.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.usefixtures("without_figure")
def test_what_is_there_with_the_same_settings_is_not_computed_again(study, tmp_path):
    first, _ = study()
    before = (tmp_path / "contamination.csv").read_bytes()
    again, points = study()
    assert points == []
    assert again == first
    assert (tmp_path / "contamination.csv").read_bytes() == before
    _, points = study(["l2-norm"], rates=[0.1, 0.05])
    assert {rate for _, _, rate, _ in points} == {0.05}
    assert (tmp_path / "contamination.csv").read_bytes().startswith(before)
    _, points = study(["l2-norm"], overrides={**SETTINGS, "clip": 3.0})
    assert len(points) == 5
    assert (tmp_path / "contamination.previous.csv").read_bytes().startswith(before)


@pytest.mark.usefixtures("without_figure")
def test_a_run_that_was_cut_is_done_again(study, tmp_path):
    first, _ = study(["l2-norm"])
    path = tmp_path / "contamination.csv"
    path.write_bytes(path.read_bytes()[:-50])
    again, points = study(["l2-norm"])
    assert points == [("l2-norm", "real", 0.1, 1)]
    assert again == first


def test_changes_are_against_the_same_entity_and_seed(script):
    values = {  # kind, seed -> VUS-PR on entity a; b is .1 higher, c was not finished
        ("none", 0): 0.5,
        ("none", 1): 0.7,
        ("real", 0): 0.4,
        ("real", 1): 0.5,
    }
    frame = pd.DataFrame(
        {"dataset": "own", "entity": entity, "method": "knn-projection", "kind": kind}
        | {"rate": 0.1 * (kind == "real"), "seed": seed, "vus_pr_score": value + 0.1 * index}
        for index, entity in enumerate("abc")
        for (kind, seed), value in values.items()
        if (entity, kind) != ("c", "real")
    )
    conditions = [("none", 0.0), ("real", 0.1)]
    clean, real = script.make_curves(frame, "vus_pr_score", conditions)["knn-projection"].values()
    assert (clean.mean, clean.change) == pytest.approx((0.65, 0))
    assert (real.mean, real.change, real.num_entities) == pytest.approx((0.5, -0.15, 2))
    assert real.change_spread == pytest.approx(pd.Series([-0.1, -0.2]).std())
    one = frame[(frame["kind"] == "real") | (frame["seed"] == 0)].assign(method="l2-norm")
    (points,) = script.make_curves(one, "vus_pr_score", conditions).values()
    assert points["real", 0.1].change == pytest.approx(-0.05)


def test_names_of_lines_do_not_touch(script, load_script):
    methods = script.methods()
    curve_script = load_script("contamination_curves")
    point = curve_script.Point(0.5, None, 0.0, None, 1)
    curves = {name: dict.fromkeys(CONDITIONS, point) for name in script.METHODS}
    figure = curve_script.draw(curves, CONDITIONS, "raw")
    assert len(figure.axes) == 4
    for axes in figure.axes:
        places = sorted(text.xyann[1] for text in axes.texts)
        assert {text.get_text() for text in axes.texts} == {methods[n].label for n in curves}
        assert min(b - a for a, b in zip(places, places[1:], strict=False)) > 0.03


def test_the_command_leaves_out_what_cannot_be_cut_and_ends_with_json(
    script, tmp_path, make_series, capsys
):
    for name, anomalies in (("one", (50, 150)), ("two", (50,))):
        folder = tmp_path / "data" / name
        folder.mkdir(parents=True)
        for part, length in (("train", 400), ("test", 200)):
            lines = [",".join(map(str, row)) for row in make_series(length, 2).round(3)]
            (folder / f"{part}.csv").write_text("\n".join(["x,y", *lines]))
        labels = [str(int(row in anomalies)) for row in range(200)]
        (folder / "test_label.csv").write_text("\n".join(["label", *labels]))
    words = ["--datasets", "own", "--data-dir", str(tmp_path / "data"), "--seeds", "1"]
    words += ["--methods", "l2-norm", "--rates", "0.1", "--kinds", "real"]
    assert script.main([*words, "--output", str(tmp_path / "out")]) == 0
    lines = capsys.readouterr().out.splitlines()
    summary = json.loads(lines[-1])
    assert summary["entities"] == ["own one"]
    assert "own two has 1 anomalies in the first half" in summary["left_out"][0]
    assert sum(line.startswith("left out: own two") for line in lines) == 1
    assert "- left out: own two" in (tmp_path / "out" / "contamination.md").read_text()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"rates": [0]}, "expected a rate above 0"),
        ({"rates": [0.7]}, r"rate is 0\.7"),
        ({"seeds": 0}, "0 seeds came"),
        ({"method_words": ["nosuch"]}, "unknown method"),
        ({"data_options": {"synthetic": {**SIZES, "anomaly_ratio": 0.0}}}, "no entity is left"),
    ],
)
def test_mistakes_are_found_before_the_first_run(study, tmp_path, options, message):
    with pytest.raises(InputError, match=message):
        study(**options)
    assert list(tmp_path.iterdir()) == []


def test_bad_input_is_one_line(script, tmp_path, capsys):
    words = ["--datasets", "smd", "--data-dir", str(tmp_path), "--output", str(tmp_path / "out")]
    assert script.main(words) == 2
    assert capsys.readouterr().err.count("\n") == 1
