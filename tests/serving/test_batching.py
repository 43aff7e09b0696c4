"""Requests of several connections share passes, and each gets its own answer."""

import json
import socket
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest


@pytest.fixture
def distinct(make_series):
    """12 requests of 1 to 3 windows, no two alike."""
    return [
        np.stack([make_series(20, seed=100 + 5 * i + j) for j in range(1 + i % 3)])
        for i in range(12)
    ]


def post_together(server, requests):
    """Status and answer of each request, all of which wait before the first is taken."""
    with server.held() as held, ThreadPoolExecutor(len(requests)) as pool:
        answers = [
            pool.submit(server.post, ":predict", {"inputs": request.tolist()})
            for request in requests
        ]
        held.wait_for_queue(len(requests))
        held.open()
        return [answer.result(30) for answer in answers]


def test_waiting_requests_share_a_pass_and_are_not_mixed_up(serve, tiny_detector, distinct):
    server = serve(max_batch_size=64)
    answers = post_together(server, distinct)
    for request, (status, answer) in zip(distinct, answers, strict=True):
        assert status == 200
        scores = np.stack([tiny_detector.decision_function(window) for window in request])
        np.testing.assert_allclose(answer["outputs"]["anomaly_score"], scores, 1e-5, 1e-5)
    assert server.metric("tsad_batch_size_sum") == sum(map(len, distinct))
    assert server.metric("tsad_batch_requests_sum") == 12
    assert server.metric("tsad_batch_size_count") <= 2  # one pass a free thread


def test_passes_keep_to_their_largest_size(serve, distinct):
    server = serve(max_batch_size=5)
    assert {status for status, _ in post_together(server, distinct)} == {200}
    passes = server.metric("tsad_batch_size_count")
    assert server.metric('tsad_batch_size_bucket{le="8.0"}') == passes >= 24 / 5


def test_different_signatures_lengths_and_series_stay_apart(serve, loaded, make_series):
    server = serve()
    series = [make_series(n, seed=n) for n in (20, 30, 30, 41)]
    bodies = [{"inputs": one.tolist(), "signature_name": "score_series"} for one in series]
    bodies += [{"inputs": [one.tolist()], "signature_name": "score_batch"} for one in series]
    with server.held() as held, ThreadPoolExecutor(8) as pool:
        answers = [pool.submit(server.post, ":predict", body) for body in bodies]
        held.wait_for_queue(8)
        held.open()
        answers = [answer.result(30)[1]["outputs"]["anomaly_score"] for answer in answers]
    for one, answer, batched in zip(series, answers[:4], answers[4:], strict=True):
        scores = loaded[1].decision_function(one)
        np.testing.assert_allclose(answer, scores, 1e-5, 1e-5)
        np.testing.assert_allclose(batched[0], scores, 1e-5, 1e-5)


def test_a_full_queue_is_a_503(serve, windows):
    server = serve(queue_size=2)
    body = {"inputs": windows.tolist()}
    with server.held() as held, ThreadPoolExecutor(2) as pool:
        waiting = [pool.submit(server.post, ":predict", body) for _ in range(2)]
        held.wait_for_queue(2)
        status, answer, headers = server.ask("POST", "/v1/models/mine:predict", body)
        assert status == 503
        assert answer == {
            "error": "Unavailable: 2 requests wait for the model, as many as may; try again later"
        }
        assert headers["Retry-After"] == "1"
        assert server.post("/streams/a:append", {"rows": [[1.0, 2.0, 3.0]]})[0] == 503
        assert server.get("/streams/a")[0] == 404
        held.open()
        assert [one.result(30)[0] for one in waiting] == [200, 200]
    assert server.post(":predict", body)[0] == 200


def test_a_client_that_left_is_not_computed_for(serve, windows):
    server = serve()
    body = json.dumps({"inputs": windows.tolist()}).encode()
    with server.held() as held:
        with socket.create_connection(("127.0.0.1", server.port)) as connection:
            head = b"POST /v1/models/mine:predict HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n"
            connection.sendall(head % len(body) + body)
            held.wait_for_queue(1)
            (job,) = server.handlers.batcher._jobs
        server.wait_until(lambda: job.abandoned)
        held.open()
    assert server.post(":predict", {"inputs": windows.tolist()})[0] == 200
    assert server.metric("tsad_abandoned_requests_total") == 1
    assert server.metric("tsad_batch_requests_sum") == 1


def test_a_failing_request_does_not_take_others_with_it(serve, windows, monkeypatch):
    server = serve()
    model = server.manager.get("mine")
    run = model.run

    def fussy(name, values):
        if (values == 77).any():
            raise ValueError("this one is bad")
        return run(name, values)

    monkeypatch.setattr(model, "run", fussy)
    bad = windows.copy()
    bad[0, 0, 0] = 77
    with server.held() as held, ThreadPoolExecutor(3) as pool:
        answers = [
            pool.submit(server.post, ":predict", {"inputs": values.tolist()})
            for values in (windows, bad, windows)
        ]
        held.wait_for_queue(3)
        held.open()
        assert [answer.result(30)[0] for answer in answers] == [200, 500, 200]
