"""Streams: scores of the library, order, bounds, expiry, and a new version on the way."""

import asyncio
import json
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from tsad_keras.serving.answers import RequestError
from tsad_keras.serving.batching import Batcher
from tsad_keras.serving.metrics import Metrics
from tsad_keras.serving.streams import StreamRegistry
from tsad_keras.streaming.stream import StreamingDetector


def append(server, rows, name="a", **more):
    status, answer = server.post(
        f"/streams/{name}:append", {"rows": np.asarray(rows).tolist(), **more}
    )
    assert status == 200, answer
    return answer


def test_appended_pieces_score_as_the_whole(serve, tiny_detector, series):
    server = serve()
    answers = [append(server, series[a:b]) for a, b in ((0, 1), (1, 30), (30, 75))]
    scores = np.concatenate([answer["anomaly_score"] for answer in answers])
    expected = tiny_detector.decision_function(series, causal=True)
    np.testing.assert_allclose(scores, expected, rtol=1e-5, atol=1e-5)
    alarms = np.concatenate([answer["is_anomaly"] for answer in answers])
    assert alarms.dtype == bool
    clear = np.abs(expected - tiny_detector.causal_threshold_) > 1e-4
    assert np.array_equal(alarms[clear], tiny_detector.predict(series, causal=True)[clear] == 1)
    assert [answer["first_row"] for answer in answers] == [0, 1, 30]
    assert [answer["num_rows"] for answer in answers] == [1, 30, 75]
    assert answers[2]["rows"] == list(range(30, 75))
    assert answers[2]["model_version"] == "1"
    assert answers[2]["counts"]["rows"] == 75


def test_closed_events_come_with_the_rows_that_closed_them(serve, loaded, make_series):
    server = serve()
    rows = make_series(300, seed=0)  # of training
    rows[100:103] += 30
    direct = StreamingDetector(loaded[1])
    events = []
    for start in range(0, 300, 50):
        answer = append(server, rows[start : start + 50])
        update = direct.update(rows[start : start + 50])
        assert answer["events"] == json.loads(json.dumps([e.to_dict() for e in update.events]))
        events += answer["events"]
    assert any(event["start_row"] <= 102 and event["peak_row"] >= 100 for event in events)


def test_streams_do_not_touch_each_other(serve, tiny_detector, series):
    server = serve()
    for start in range(0, 75, 25):
        for name, values in (("a", series), ("b", series[::-1])):
            answer = append(server, values[start : start + 25], name)
            expected = tiny_detector.decision_function(values, causal=True)
            np.testing.assert_allclose(
                answer["anomaly_score"], expected[start : start + 25], 1e-5, 1e-5
            )
    assert server.metric("tsad_streams") == 2
    assert server.metric('tsad_rows_total{kind="append"}') == 150


def test_late_and_doubled_times_are_dropped_and_told(serve, series):
    server = serve()
    times = ["2026-01-01T00:00:00", "2026-01-01T00:01:00", "2026-01-01T00:01:00"]
    answer = append(server, series[:3], timestamps=times)
    assert answer["rows"] == [0, 1]
    assert len(answer["anomaly_score"]) == 2
    assert answer["num_rows"] == 3
    assert answer["counts"]["duplicates"] == 1
    answer = append(server, series[3:5], timestamps=[times[0], "2026-01-01T00:02:00"])
    assert (answer["rows"], answer["counts"]["late"]) == ([4], 1)
    status, answer = server.post("/streams/a:append", {"rows": series[5:6].tolist()})
    assert status == 400
    assert "timestamps came for some updates only" in answer["error"]


def test_status_and_deletion(serve, series):
    server = serve()
    append(server, series, "pump-1")
    status, answer = server.get("/streams/pump-1")
    assert status == 200
    assert answer["stream"] == "pump-1"
    assert answer["num_rows"] == 75
    assert answer["model_version"] == "1"
    assert answer["threshold"] > 0
    path = "/v1/models/mine/streams/pump-1"
    assert server.ask("DELETE", path)[:2] == (200, {"deleted": "pump-1"})
    assert server.ask("DELETE", path)[0] == 404
    assert append(server, series[:2], "pump-1")["first_row"] == 0


def test_too_many_streams(serve, series):
    server = serve(max_streams=2)
    append(server, series[:1], "a")
    append(server, series[:1], "b")
    status, answer = server.post("/streams/c:append", {"rows": series[:1].tolist()})
    assert status == 429
    assert answer["error"].startswith("2 streams are kept, as many as may")
    append(server, series[1:2], "a")
    server.ask("DELETE", "/v1/models/mine/streams/b")
    append(server, series[:1], "c")


def test_appends_that_wait_keep_their_order(serve, tiny_detector, series):
    server = serve()
    pieces = [series[start : start + 5] for start in range(0, 75, 5)]
    with server.held() as held, ThreadPoolExecutor(15) as pool:
        answers = [pool.submit(append, server, pieces[0])]
        held.wait_for_queue(1)
        stream = server.handlers.streams._streams["a"]
        for count, piece in enumerate(pieces[1:], start=2):
            answers.append(pool.submit(append, server, piece))
            server.wait_until(lambda count=count: stream.num_waiting == count)
        held.open()
        answers = [answer.result(30) for answer in answers]
    assert [answer["first_row"] for answer in answers] == list(range(0, 75, 5))
    scores = np.concatenate([answer["anomaly_score"] for answer in answers])
    expected = tiny_detector.decision_function(series, causal=True)
    np.testing.assert_allclose(scores, expected, rtol=1e-5, atol=1e-5)


def test_a_stream_moves_to_a_new_version_with_its_context(serve, add_version, loaded, series):
    server = serve()
    append(server, series[:40])
    add_version(2, 2)
    server.manager.poll()
    answer = append(server, series[40:])
    assert answer["model_version"] == "2"
    assert answer["first_row"] == 40
    direct = StreamingDetector(loaded[1])
    direct.update(series[:40])
    expected = direct.moved_to(loaded[2]).update(series[40:]).scores
    np.testing.assert_allclose(answer["anomaly_score"], expected, rtol=1e-5, atol=1e-5)


def test_an_append_that_waited_does_not_move_a_stream_back(serve, add_version, series):
    server = serve()
    append(server, series[:20])
    with server.held() as held, ThreadPoolExecutor(2) as pool:
        first = pool.submit(append, server, series[20:30])
        held.wait_for_queue(1)
        add_version(2, 2)
        server.manager.poll()
        second = pool.submit(append, server, series[30:40])
        stream = server.handlers.streams._streams["a"]
        server.wait_until(lambda: stream.num_waiting == 2)
        held.open()
        answers = first.result(30), second.result(30)
    assert [answer["first_row"] for answer in answers] == [20, 30]
    assert answers[1]["model_version"] == "2"


def test_a_stream_that_cannot_move_is_told_so(serve, add_version, series, monkeypatch):
    from tsad_keras.errors import InputError

    def refuse(*_):
        raise InputError("other features")

    server = serve()
    append(server, series[:20])
    add_version(2, 2)
    server.manager.poll()
    monkeypatch.setattr(StreamingDetector, "moved_to", refuse)
    status, answer = server.post("/streams/a:append", {"rows": series[20:21].tolist()})
    assert status == 409
    assert "cannot go on with version 2 (other features); delete it" in answer["error"]
    server.ask("DELETE", "/v1/models/mine/streams/a")
    assert append(server, series[:5])["model_version"] == "2"


class Model:
    """As much of a loaded model as streams look at."""

    version, is_retired = 1, False

    def __init__(self, detector):
        self.detector = detector


@pytest.fixture
def registry():
    """Function: runs a coroutine function of a registry and its settable clock."""

    def run(use, **limits):
        metrics = Metrics()
        batcher = Batcher(8, 100, 1, metrics)
        clock = [0.0]

        async def inside():
            streams = StreamRegistry(batcher, metrics, clock=lambda: clock[0], **limits)
            await use(streams, clock)

        try:
            asyncio.run(inside())
        finally:
            batcher.close()

    return run


def test_idle_streams_expire(registry, loaded, series):
    model = Model(loaded[1])

    async def use(streams, clock):
        await streams.append("a", model, series[:5], None)
        clock[0] = 6
        await streams.append("b", model, series[:5], None)
        with pytest.raises(RequestError) as refused:
            await streams.append("c", model, series[:5], None)
        assert refused.value.status == 429
        clock[0] = 10  # a was last used 10 s ago, b 4 s
        with pytest.raises(RequestError) as unknown:
            await streams.status("a")
        assert unknown.value.status == 404
        assert (await streams.status("b"))["idle_seconds"] == 4
        await streams.append("c", model, series[:5], None)
        assert (await streams.append("b", model, series[5:7], None))["first_row"] == 5
        clock[0] = 100
        assert streams.expire() == 2
        assert len(streams) == 0
        assert (await streams.append("b", model, series[:5], None))["first_row"] == 0

    registry(use, max_streams=2, expiry=10)


def test_an_expired_stream_begins_anew_even_if_nobody_swept(registry, loaded, series):
    model = Model(loaded[1])

    async def use(streams, clock):
        await streams.append("a", model, series[:5], None)
        clock[0] = 11
        assert (await streams.append("a", model, series[5:9], None))["first_row"] == 0

    registry(use, max_streams=1, expiry=10)
