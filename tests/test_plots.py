"""Figures: what they show, and that any data can be drawn."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from matplotlib.figure import Figure

from tsad_keras.datasets.base import TimeSeriesDataset
from tsad_keras.errors import InputError
from tsad_keras.plots import (
    plot_alarm_features,
    plot_confusion_matrix,
    plot_distributions,
    plot_scores,
    plot_stretch,
    plot_training_curves,
    save_figure,
)
from tsad_keras.reporting.stretches import (
    best_and_worst_stretch,
    highest_stretch,
    stretch_length,
)


def history(num_epochs: int, adversarial: float = 0.7) -> list[dict[str, float]]:
    return [
        {
            "epoch": epoch,
            "reconstruction_loss": 1 / epoch,
            "val_reconstruction_loss": 1.1 / epoch,
            "contrastive_loss": 2.0,
            "adversarial_loss": adversarial,
            "discriminator_loss": adversarial,
        }
        for epoch in range(1, num_epochs + 1)
    ]


def texts(figure: Figure) -> str:
    figure.draw_without_rendering()
    found = figure.findobj(lambda artist: hasattr(artist, "get_text"))
    return "\n".join(artist.get_text() for artist in found if artist.get_visible())


def test_training_curves_mark_the_best_epoch_and_losses_that_are_off():
    figure = plot_training_curves(history(5, adversarial=0.0), best_epoch=4)
    assert len(figure.axes) == 4
    for axes in figure.axes:
        assert any(list(line.get_xdata()) == [4, 4] for line in axes.lines)
    assert texts(figure).count("switched off") == 2
    assert "validation" in texts(figure)


def test_a_single_epoch_can_be_seen():
    line = plot_training_curves(history(1), best_epoch=1).axes[0].lines[0]
    assert line.get_marker() == "o"


@pytest.mark.parametrize("num_timesteps", [300, 90_000])
def test_every_peak_is_drawn_however_long_the_series(num_timesteps):
    scores = np.ones(num_timesteps)
    scores[num_timesteps // 3] = 20.0
    figure = plot_scores(scores, 5.0, scores >= 5)
    axes = figure.axes[0]
    drawn = [line.get_ydata() for line in axes.lines if len(line.get_ydata()) > 2]
    drawn += [path.vertices[:, 1] for c in axes.collections for path in c.get_paths()]
    assert max(values.max() for values in drawn) == 20.0
    assert sum(len(values) for values in drawn) < 10_000


def test_one_step_events_of_a_long_series_are_wide_enough_to_see():
    labels = np.zeros(90_000, int)
    labels[1234] = 1
    figure = plot_scores(np.ones(90_000), 2.0, labels, labels)
    shade = figure.axes[0].collections[0].get_paths()[0].vertices[:, 0]
    assert np.ptp(shade) > 80


def test_a_single_step_is_shaded_around_its_place():
    labels = np.zeros(1000, int)
    labels[600] = 1
    shade = plot_scores(np.ones(1000), 2.0, labels, labels).axes[0].collections[0]
    edges = shade.get_paths()[0].vertices[:, 0]
    assert np.ptp(edges) > 1.9 and (edges.min() + edges.max()) / 2 == pytest.approx(600)


def test_rows_have_thousands_separators():
    scores = np.arange(60_000.0)
    assert "30,000" in texts(plot_scores(scores, 5.0, scores >= 5))


def test_only_panels_with_several_curves_have_a_legend():
    figure = plot_training_curves(history(3), best_epoch=2)
    assert [axes.get_legend() is not None for axes in figure.axes] == [True, False, False, False]


def test_axis_is_logarithmic_only_where_scores_span_decades():
    flat, steep = np.linspace(1, 2, 500), np.geomspace(1e-3, 1e3, 500)
    assert plot_scores(flat, 1.5, flat > 1.5).axes[0].get_yscale() == "linear"
    assert plot_scores(steep, 1.5, steep > 1.5).axes[0].get_yscale() == "log"
    zeros = np.zeros(500)
    assert plot_scores(zeros, 1.5, zeros).axes[0].get_yscale() == "linear"


def test_dates_are_on_the_axis_if_there_are_any():
    times = np.datetime64("2024-03-01T00:00", "ns") + np.arange(300).astype("timedelta64[m]")
    scores = np.arange(300.0)
    assert "2024" in texts(plot_scores(scores, 200, scores >= 200, timestamps=times))
    assert "test row" in texts(plot_scores(scores, 200, scores >= 200))


@pytest.fixture
def dataset():
    random = np.random.default_rng(0)
    train, test = random.normal(size=(200, 5)), random.normal(size=(400, 5))
    test[100:120, 3] = np.nan
    names = [f"sensor {i}, which has a rather long name that goes on and on" for i in range(5)]
    return TimeSeriesDataset("own", "x", train, test, np.arange(400) > 350, names)


def test_a_stretch_shows_the_features_that_made_its_peaks(dataset):
    contributions = np.full((400, 5), 0.1)
    contributions[150:160, 3] = 9.0
    contributions[300:310, 1] = 9.0
    figure = plot_stretch(dataset, contributions, 1.0, np.zeros(400, int), (100, 200), "here")
    titles = [axes.get_title(loc="left") for axes in figure.axes]
    assert titles[0] == "here"
    assert "sensor 3" in titles[2] and "96%" in titles[2]
    assert len(figure.axes) == 5


def test_confusion_matrix_has_truth_in_rows():
    labels, predictions = [0] * 6 + [1] * 4, [0] * 5 + [1] * 4 + [0]
    shown = [t.get_text() for t in plot_confusion_matrix(labels, predictions).axes[0].texts]
    assert [text.split("\n")[0] for text in shown] == ["5", "1", "1", "3"]
    assert shown[3].endswith("75.0% of anomalous")


def test_alarm_features_sum_up_what_there_is_no_room_for():
    contributions = np.ones((50, 30))
    alarms = [{"start": 3, "end": 5, "length": 2, "peak_row": 4}]
    alarms.append({"start": 9, "end": 10, "length": 1, "peak_row": 9})
    figure = plot_alarm_features(contributions, alarms, [f"f{i}" for i in range(30)], 10)
    grid = figure.axes[0].images[0].get_array()
    assert grid.shape == (10, 2)
    np.testing.assert_allclose(grid.sum(axis=0), 100 / 3)
    assert "20 other features make 67 to 67 %" in texts(figure)
    assert "square-root colour scale" in texts(figure)
    norm = figure.axes[0].images[0].norm
    assert norm(0.25 * norm.vmax) == pytest.approx(0.5)


def test_distributions_hold_every_time_step_of_every_part():
    parts = {"train": np.geomspace(1e-4, 1, 100), "test": np.geomspace(1e-3, 1e3, 50)}
    figure = plot_distributions(parts, parts, threshold=2.0)
    for patch in figure.axes[0].patches:
        heights = patch.get_xy()[:, 1]
        assert heights.max() > 0
        steps = heights[1:-1:2]  # the outline has every bin's height twice
        assert steps.sum() == pytest.approx(1.0)
    assert "threshold 2" in texts(figure)
    for axes in figure.axes:
        assert axes.get_yscale() == "log" and axes.get_ylim()[0] < 1 / 100 < 1 < axes.get_ylim()[1]


def test_constant_and_empty_parts_can_be_drawn(tmp_path):
    parts = {"train": np.zeros(5), "test": np.zeros(3), "test, anomalous": np.zeros(0)}
    save_figure(plot_distributions(parts, parts, 1.0), tmp_path / "a.png")
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")


def test_a_figure_that_cannot_be_drawn_leaves_the_old_file(tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(b"old")

    class Broken(Figure):
        def savefig(self, *args, **kwargs):
            raise RuntimeError("no")

    with pytest.raises(RuntimeError):
        save_figure(Broken(), path)
    assert [p.name for p in tmp_path.iterdir()] == ["a.png"] and path.read_bytes() == b"old"
    with pytest.raises(InputError):
        save_figure(Figure(), path / "below.png")


def test_no_pyplot_is_loaded():
    code = "import sys, tsad_keras.plots; sys.exit('matplotlib.pyplot' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


class TestStretches:
    def test_best_has_both_classes_and_tells_them_apart(self):
        labels = np.zeros(1000, int)
        labels[0:200] = labels[500:520] = labels[800:890] = 1
        predictions = labels.copy()
        predictions[800:890] = 0  # missed
        predictions[470:550] = 1  # false alarms around the second event
        best, worst = best_and_worst_stretch(labels, predictions, 300)
        assert best == (360, 660)
        assert worst == (695, 995)

    def test_event_is_in_the_middle_and_long_ones_go_before_single_steps(self):
        labels = np.zeros(2000, int)
        labels[300] = labels[1000:1060] = labels[1500:1506] = 1
        predictions = labels.copy()
        predictions[1000] = 0
        best, _ = best_and_worst_stretch(labels, predictions, 200)
        assert best == (930, 1130)

    def test_an_event_longer_than_the_stretch_is_shown_at_its_border(self):
        labels = np.zeros(2000, int)
        labels[500:1500] = 1
        best, worst = best_and_worst_stretch(labels, np.zeros(2000, int), 200)
        assert worst == best == (400, 600)

    @pytest.mark.parametrize("value", [0, 1])
    def test_labels_of_one_kind_have_stretches(self, value):
        labels = np.full(50, value)
        assert best_and_worst_stretch(labels, 0 * labels, 50) == ((0, 50), (0, 50))
        assert best_and_worst_stretch(labels, 1 - labels, 20)[0][1] <= 50

    def test_false_alarms_alone_can_be_the_worst(self):
        labels, predictions = np.zeros(500, int), np.zeros(500, int)
        predictions[300:330] = 1
        best, worst = best_and_worst_stretch(labels, predictions, 50)
        assert worst[0] <= 300 and worst[1] >= 330
        assert best == worst

    def test_highest_stays_inside(self):
        scores = np.zeros(100)
        scores[99] = 1
        assert highest_stretch(scores, 30) == (70, 100)
        scores[2] = 2
        assert highest_stretch(scores, 30) == (0, 30)

    @pytest.mark.parametrize("num_timesteps", [5, 30, 200, 100_000])
    def test_length_fits(self, num_timesteps):
        assert 1 <= stretch_length(num_timesteps, 20) <= min(num_timesteps, 200)
