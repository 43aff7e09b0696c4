"""Streams against the batch result: any cut, both modes, detectors and exports, saved and moved."""

import numpy as np
import pandas as pd
import pytest

from tsad_keras import ContrastiveGANDetector, StreamingDetector, export_saved_model, load_export
from tsad_keras.errors import InputError
from tsad_keras.streaming import stream as stream_module

NUM_ROWS = 173


@pytest.fixture(scope="module")
def exported(tiny_detector, tmp_path_factory):
    folder = tmp_path_factory.mktemp("stream") / "model"
    export_saved_model(tiny_detector, folder)
    return load_export(folder)


@pytest.fixture(scope="module")
def fused_detector(tiny_config, make_series):
    """One with the default score; its threshold is low, so that there are events."""
    settings = {**tiny_config, "seed": 1, "false_alarm_rate": 0.2}
    return ContrastiveGANDetector(**settings).fit(make_series(), verbose=False)


@pytest.fixture(params=["detector", "export", "fused"])
def source(request, tiny_detector, exported, fused_detector):
    return {
        "detector": tiny_detector,
        "export": exported,
        "fused": fused_detector,
    }[request.param]


@pytest.fixture(scope="module")
def series(make_series):
    """Rows with gaps, also at the start and a whole row, and a stretch that alarms."""
    values = make_series(NUM_ROWS, seed=9)
    values[0:4, 1] = np.nan
    values[30:45, 0] = np.nan
    values[60] = np.nan
    values[100:110, 2] += 8
    return values


def random_cuts(rng, num_rows):
    return np.split(np.arange(num_rows), np.sort(rng.integers(0, num_rows, rng.integers(0, 25))))


def run(stream, series, pieces, timestamps=None):
    updates = []
    for rows in pieces:
        times = None if timestamps is None else timestamps[rows]
        updates.append(stream.update(series[rows], times))
    return [*updates, stream.finish()]


def joined(updates, name):
    return np.concatenate([getattr(update, name) for update in updates])


def assert_close(scores, expected):
    np.testing.assert_allclose(scores, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("causal", [True, False])
@pytest.mark.parametrize("seed", range(4))
def test_any_cut_gives_the_batch_result(source, series, causal, seed):
    rng = np.random.default_rng(seed)
    stream = StreamingDetector(source, causal=causal)
    updates = run(stream, series, random_cuts(rng, NUM_ROWS))
    assert_close(joined(updates, "scores"), source.decision_function(series, causal=causal))
    assert_close(joined(updates, "contributions"), source.explain(series, causal=causal))
    expected = joined(updates, "scores") >= source.alarm_threshold(causal)
    assert joined(updates, "alarms").tolist() == expected.astype(int).tolist()
    assert joined(updates, "rows").tolist() == list(range(NUM_ROWS))
    assert expected.any() and not expected.all()


def test_row_by_row_without_delay(source, series):
    stream = StreamingDetector(source)
    assert stream.delay == 0
    scores = []
    for row in series:
        values, alarms = stream.update(row)  # a single row, and two things to unpack
        assert len(values) == len(alarms) == 1
        scores.append(values[0])
    assert_close(scores, source.decision_function(series, causal=True))
    assert len(stream.finish().scores) == 0


def test_the_delay_is_what_it_says(source, series):
    stream = StreamingDetector(source, causal=False)
    final = 0
    for seen, row in enumerate(series, start=1):
        final += len(stream.update(row).scores)
        assert final == max(0, seen - stream.delay)
    assert len(stream.finish().scores) == stream.delay


def test_memory_is_bounded(tiny_detector, series, monkeypatch):
    monkeypatch.setattr("tsad_keras.thresholds.REMEMBERED_SCORES", 500)
    for causal in (True, False):
        stream = StreamingDetector(tiny_detector, causal=causal)
        sizes = set()
        for _ in range(12):
            stream.update(series, timestamps=None)
            arrays, _ = stream_module.pack_stream(stream)
            sizes.add(sum(array.nbytes for array in arrays.values()))
        assert max(sizes) < 40_000
        assert len(sizes) <= 5


def test_large_updates_are_taken_in_steps(tiny_detector, series, monkeypatch):
    whole, _ = StreamingDetector(tiny_detector).update(series)
    monkeypatch.setattr(stream_module, "_ROWS_A_STEP", 10)
    steps, _ = StreamingDetector(tiny_detector).update(series)
    assert_close(steps, whole)


@pytest.mark.parametrize("causal", [True, False])
@pytest.mark.parametrize("with_times", [True, False])
def test_a_saved_stream_goes_on_where_it_was(source, series, tmp_path, causal, with_times):
    times = np.datetime64("2024-01-01", "ns") + 10**9 * np.arange(NUM_ROWS)
    settings = {"causal": causal, "recalibration_span": 50, "minimum_gap": 3, "max_gap": 100.0}
    whole = run(
        StreamingDetector(source, **settings),
        series,
        [np.arange(NUM_ROWS)],
        times if with_times else None,
    )
    stream = StreamingDetector(source, **settings)
    parts = []
    for rows in np.array_split(np.arange(NUM_ROWS), 9):  # some cuts lie within the alarm
        parts.append(stream.update(series[rows], times[rows] if with_times else None))
        stream.save_state(tmp_path / "state.npz")
        stream = StreamingDetector.load_state(source, tmp_path / "state.npz")
    parts.append(stream.finish())
    assert_close(joined(parts, "scores"), joined(whole, "scores"))
    assert joined(parts, "rows").tolist() == joined(whole, "rows").tolist()
    assert_close(joined(parts, "thresholds"), joined(whole, "thresholds"))
    spans = [[(e.start_row, e.end_row) for u in us for e in u.events] for us in (parts, whole)]
    assert spans[0] == spans[1] and spans[0]
    assert stream.settings == {"hysteresis": 0.2, **settings}
    assert stream.counts["scored"] == NUM_ROWS


def test_a_state_of_another_model_or_damaged_is_refused(
    tiny_detector, exported, fused_detector, series, tmp_path
):
    path = tmp_path / "state.npz"
    stream = StreamingDetector(tiny_detector)
    stream.update(series[:30])
    stream.save_state(path)
    for other in (fused_detector, exported):
        with pytest.raises(InputError, match="another model"):
            StreamingDetector.load_state(other, path)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(InputError, match="damaged"):
        StreamingDetector.load_state(tiny_detector, path)
    with pytest.raises(InputError, match="does not exist"):
        StreamingDetector.load_state(tiny_detector, tmp_path / "none.npz")


def test_late_and_doubled_rows_are_dropped_and_the_rest_is_as_without_them(source, series):
    times = np.arange(NUM_ROWS, dtype=float)
    order = [*range(50), 20, 49, *range(50, NUM_ROWS), 3]
    stream = StreamingDetector(source)
    updates = run(stream, series[order], [np.arange(len(order))], times[order])
    assert_close(joined(updates, "scores"), source.decision_function(series, causal=True))
    assert joined(updates, "timestamps").tolist() == times.tolist()
    kept = [row for row in range(len(order)) if row not in (50, 51, len(order) - 1)]
    assert joined(updates, "rows").tolist() == kept
    expected = {"rows": 176, "scored": 173, "late": 2, "duplicates": 1, "gaps": 0}
    assert stream.counts == expected


@pytest.mark.parametrize("causal", [True, False])
def test_a_gap_begins_a_new_series(source, series, causal):
    times = np.arange(NUM_ROWS, dtype=float)
    times[120:] += 50
    stream = StreamingDetector(source, causal=causal, max_gap=10)
    updates = run(stream, series, random_cuts(np.random.default_rng(0), NUM_ROWS), times)
    parts = (series[:120], series[120:])
    expected = [source.decision_function(part, causal=causal) for part in parts]
    assert_close(joined(updates, "scores"), np.concatenate(expected))
    assert stream.counts["gaps"] == 1


def test_an_open_event_ends_at_a_gap(tiny_detector, series):
    times = np.arange(NUM_ROWS, dtype=float)
    times[108:] += 50  # in the middle of the alarm
    updates = run(
        StreamingDetector(tiny_detector, max_gap=10), series, [np.arange(NUM_ROWS)], times
    )
    assert 107 in [event.end_row for update in updates for event in update.events]


def test_a_series_shorter_than_a_window_has_no_score_when_delayed(tiny_detector, series):
    stream = StreamingDetector(tiny_detector, causal=False)
    assert len(stream.update(series[:7]).scores) == 0
    update = stream.finish()
    assert np.isnan(update.scores).tolist() == [True] * 7
    assert update.alarms.tolist() == [0] * 7
    assert len(stream.finish().scores) == 0


def test_recalibration_is_off_by_default_and_changes_alarms_not_scores(tiny_detector, series):
    plain = StreamingDetector(tiny_detector).update(series)
    moving_stream = StreamingDetector(tiny_detector, recalibration_span=20)
    moving = moving_stream.update(series)
    assert set(plain.thresholds) == {tiny_detector.causal_threshold_}
    assert moving.scores.tobytes() == plain.scores.tobytes()
    assert len(set(moving.thresholds)) > 10
    assert moving_stream.threshold_ != tiny_detector.causal_threshold_
    assert ((moving.scores >= moving.thresholds) == moving.alarms).all()


def test_a_stream_moves_to_another_export_with_its_context(
    tiny_config, make_series, exported, series, tmp_path
):
    other = ContrastiveGANDetector(**tiny_config, seed=77).fit(make_series(), verbose=False)
    export_saved_model(other, tmp_path / "other")
    stream = StreamingDetector(exported)
    times = np.arange(NUM_ROWS, dtype=float)
    stream.update(series[:105], times[:105])
    assert stream.open_event is not None
    moved = stream.moved_to(tmp_path / "other")
    assert moved.open_event.start_row == stream.open_event.start_row
    update = moved.update(series[104:], times[104:])
    assert update.rows[0] == 106  # row 105 came twice
    expected = other.decision_function(series, causal=True)[105:]
    # Only what the smoothing remembers of the time before differs.
    assert np.median(np.abs(update.scores - expected) / expected) < 0.05
    cold, _ = StreamingDetector(load_export(tmp_path / "other")).update(series[105:])
    assert np.abs(update.scores - expected)[:5].sum() < np.abs(cold - expected)[:5].sum()


def test_a_stream_that_cannot_move_says_so(tiny_detector, exported, tmp_path):
    for stream in (StreamingDetector(tiny_detector), StreamingDetector(exported, causal=False)):
        with pytest.raises(InputError, match="only causal streams"):
            stream.moved_to(exported)


def test_folders_are_sources(tiny_detector, exported, series, tmp_path):
    tiny_detector.save(tmp_path / "model")
    expected, _ = StreamingDetector(tiny_detector).update(series)
    for source in (tmp_path / "model", str(exported.directory), exported.directory.parent):
        assert_close(StreamingDetector(source).update(series).scores, expected)


def test_frames_are_checked_by_name(tiny_config, make_series, series):
    names = ["a", "b", "c"]
    frame = pd.DataFrame(make_series(), columns=names)
    detector = ContrastiveGANDetector(**tiny_config, seed=5).fit(frame, verbose=False)
    expected = detector.decision_function(series, causal=True)
    scores, _ = StreamingDetector(detector).update(pd.DataFrame(series, columns=names))
    assert_close(scores, expected)
    with pytest.raises(InputError, match="expected those of training in their order"):
        StreamingDetector(detector).update(pd.DataFrame(series, columns=["b", "a", "c"]))


@pytest.mark.parametrize(
    ("rows", "times", "message"),
    [
        (np.zeros((2, 4)), None, "4 features"),
        (np.zeros(4), None, "shape"),
        (np.full((1, 3), np.inf), None, "infinite"),
        ([["x", 1, 2]], None, "no numbers"),
        (np.zeros((2, 3)), [1.0], "one for each row"),
        (np.zeros((1, 3)), None, "always or never"),
    ],
)
def test_bad_rows_are_refused_and_leave_the_stream_as_it_was(
    tiny_detector, series, rows, times, message
):
    numbers = np.arange(NUM_ROWS, dtype=float)
    stream, untouched = StreamingDetector(tiny_detector), StreamingDetector(tiny_detector)
    for each in (stream, untouched):
        each.update(series[:50], numbers[:50])
    with pytest.raises(InputError, match=message):
        stream.update(rows, times)
    after = [each.update(series[50:], numbers[50:]) for each in (stream, untouched)]
    assert after[0].scores.tobytes() == after[1].scores.tobytes()
    assert stream.counts == untouched.counts


def test_no_rows_give_no_scores(source):
    stream = StreamingDetector(source)
    for nothing in (np.zeros((0, 3)), []):
        scores, alarms = stream.update(nothing)
        assert len(scores) == len(alarms) == 0
    assert stream.counts["rows"] == 0


def test_a_source_that_is_none_is_refused(tmp_path):
    with pytest.raises(InputError, match="not fitted"):
        StreamingDetector(ContrastiveGANDetector())
    with pytest.raises(InputError, match="expected a fitted detector"):
        StreamingDetector(3)
    with pytest.raises(InputError, match="no exported version"):
        StreamingDetector(tmp_path)
