"""Events: beginning, hysteresis, gap, peak, features, and that pieces make no difference."""

import json

import numpy as np
import pytest

from tsad_keras.errors import InputError
from tsad_keras.streaming.events import AlarmTracker


def run(scores, pieces=None, timestamps=None, **settings):
    """All ended events of scores against a threshold of 1, and the tracker."""
    tracker = AlarmTracker(("a", "b"), **{"hysteresis": 0.0, "minimum_gap": 0, **settings})
    scores = np.asarray(scores, float)
    contributions = np.stack([0.75 * scores, 0.25 * scores], axis=1)
    rows = np.arange(len(scores))
    events = []
    for part in np.split(rows, pieces or []):
        times = None if timestamps is None else timestamps[part]
        arguments = (scores[part], contributions[part], np.ones(len(part)), part, times)
        events += tracker.update(*arguments)
    return events, tracker


def spans(events):
    return [(event.start_row, event.end_row) for event in events]


def test_an_event_is_a_run_of_scores_at_or_above_the_threshold():
    events, tracker = run([0, 1, 2, 0.9, 0, 5, 0])
    assert spans(events) == [(1, 2), (5, 5)]
    assert [event.peak_row for event in events] == [2, 5]
    assert [event.peak_score for event in events] == [2.0, 5.0]
    assert not any(event.is_open for event in events)
    assert tracker.open_event is None


def test_hysteresis_prolongs_an_event_but_begins_none():
    scores = [0.7, 1, 0.7, 0.6, 0.4, 0.7, 0]
    assert spans(run(scores, hysteresis=0.4)[0]) == [(1, 3)]
    assert spans(run(scores, hysteresis=0.0)[0]) == [(1, 1)]


@pytest.mark.parametrize(("gap", "expected"), [(1, [(0, 0), (3, 3)]), (2, [(0, 3)])])
def test_events_with_few_rows_between_them_are_one(gap, expected):
    events, tracker = run([1, 0, 0, 1, 0, 0, 0], minimum_gap=gap)
    assert spans(events) == expected
    assert tracker.open_event is None


def test_only_a_new_alarm_ends_a_gap_not_a_score_above_the_release_level():
    assert spans(run([1, 0, 0.9, 0, 0, 0], hysteresis=0.5, minimum_gap=3)[0]) == [(0, 0)]


def test_the_open_event_is_told_as_far_as_it_is_known():
    events, tracker = run([0, 3, 4, 2])
    assert events == []
    opened = tracker.open_event
    assert (opened.start_row, opened.end_row, opened.peak_row, opened.is_open) == (1, 3, 2, True)
    closed = tracker.close()
    assert spans(closed) == [(1, 3)]
    assert tracker.close() == []


def test_features_are_ranked_by_their_share_of_the_whole_event():
    event = run([0, 2, 2, 0])[0][0]
    assert event.top_features == (("a", 0.75), ("b", 0.25))


def test_scores_that_are_missing_neither_begin_nor_prolong_an_event():
    assert spans(run([np.nan, 1, np.nan, np.nan, 1, 0], minimum_gap=1)[0]) == [(1, 1)]


def test_times_are_those_of_the_rows_and_become_text():
    times = np.datetime64("2024-01-01T00:00", "ns") + 60 * 10**9 * np.arange(4)
    event = run([0, 1, 3, 0], timestamps=times)[0][0]
    values = json.loads(json.dumps(event.to_dict()))
    assert values["start_time"] == "2024-01-01T00:01"
    assert values["peak_time"] == values["end_time"] == "2024-01-01T00:02"
    assert values["top_features"][0] == {"feature": "a", "share": 0.75}
    assert run([1, 0])[0][0].to_dict()["start_time"] is None


@pytest.mark.parametrize("seed", range(20))
def test_events_do_not_depend_on_the_pieces_nor_on_a_restart(seed):
    rng = np.random.default_rng(seed)
    scores = np.convolve(rng.gamma(1, 0.6, 300), np.ones(3) / 3, "same")
    settings = {"hysteresis": 0.3, "minimum_gap": int(rng.integers(0, 5))}
    whole, tracker = run(scores, **settings)
    cuts = np.sort(rng.integers(0, 300, 12)).tolist()
    parts, other = run(scores, pieces=cuts, **settings)
    assert parts == whole
    assert len(whole) > 3
    assert other.open_event == tracker.open_event
    restored = AlarmTracker(("a", "b"), **settings)
    arrays, values = tracker.get_state()
    restored.set_state(arrays, json.loads(json.dumps(values)))
    assert restored.open_event == tracker.open_event


@pytest.mark.parametrize(
    "settings", [{"hysteresis": 1.0}, {"hysteresis": -0.1}, {"minimum_gap": -1}]
)
def test_settings_out_of_range_are_refused(settings):
    with pytest.raises(InputError, match="expected"):
        AlarmTracker(("a",), **settings)
