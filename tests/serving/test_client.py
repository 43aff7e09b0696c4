"""The client against the server, and against servers that are not there or talk nonsense."""

import socket
import threading

import numpy as np
import pandas as pd
import pytest

from tsad_keras.serving.client import ServingClient, ServingError


@pytest.fixture
def client(shared):
    with ServingClient(shared.url, "mine") as made:
        yield made


def test_scores_are_the_library_s(client, tiny_detector, windows, series):
    got = client.score_series(series)
    np.testing.assert_allclose(
        got["anomaly_score"], tiny_detector.decision_function(series), 1e-5, 1e-5
    )
    np.testing.assert_allclose(got["contribution"], tiny_detector.explain(series), 1e-5, 1e-5)
    assert got["is_anomaly"].dtype == bool
    expected = np.stack([tiny_detector.decision_function(window) for window in windows])
    np.testing.assert_allclose(client.score_windows(windows)["anomaly_score"], expected, 1e-5, 1e-5)
    batched = client.score_batch(np.stack([series, series]))
    np.testing.assert_allclose(batched["anomaly_score"][1], got["anomaly_score"], 1e-5, 1e-5)
    made = client.reconstruct(windows)
    assert made["reconstruction"].shape == (6, 20, 3)
    assert made["realism"].shape == (6,)


def test_a_frame_is_as_good_as_an_array(client, series):
    frame = pd.DataFrame(series, columns=["a", "b", "c"])
    np.testing.assert_array_equal(
        client.score_series(frame)["anomaly_score"], client.score_series(series)["anomaly_score"]
    )


def test_streams(client, tiny_detector, series):
    times = pd.date_range("2026-01-01", periods=75, freq="min")
    answers = [client.append("client", series[a:b], times[a:b]) for a, b in ((0, 40), (40, 75))]
    scores = np.concatenate([answer["anomaly_score"] for answer in answers])
    expected = tiny_detector.decision_function(series, causal=True)
    np.testing.assert_allclose(scores, expected, 1e-5, 1e-5)
    assert answers[1]["rows"].tolist() == list(range(40, 75))
    numpy_times = np.array(["2026-01-02T00:00", "2026-01-02T00:01"], "datetime64[s]")
    assert len(client.append("client", series[:2], numpy_times)["rows"]) == 2
    assert client.stream_status("client")["num_rows"] == 77
    client.delete_stream("client")
    with pytest.raises(ServingError, match="404: Stream not found: client"):
        client.stream_status("client")


def test_what_the_server_says_of_itself(client):
    assert client.status()[0]["state"] == "AVAILABLE"
    assert client.metadata()["model_spec"]["name"] == "mine"
    assert client.info()["window_size"] == 20


def test_a_refusal_is_an_error_with_status_and_message(client, shared):
    with pytest.raises(ServingError) as refused:
        client.score_series(np.zeros((5, 3)))
    assert refused.value.status == 400
    assert "5 time steps, expected at least window_size" in refused.value.message
    assert client.status()  # the connection is still good
    with pytest.raises(ServingError, match=r"404: .*Specific\(mine, 9\)"):
        ServingClient(shared.url, "mine", version=9).score_series(np.zeros((30, 3)))


def test_token(serve):
    server = serve(token="secret")
    with pytest.raises(ServingError, match="401"):
        ServingClient(server.url, "mine").status()
    assert ServingClient(server.url, "mine", token="secret").status()


def test_threads_share_a_client(client, tiny_detector, make_series):
    errors = []

    def ask(seed):
        series = make_series(30, seed=seed)
        got = client.score_series(series)["anomaly_score"]
        if not np.allclose(got, tiny_detector.decision_function(series), 1e-5, 1e-5):
            errors.append(seed)

    threads = [threading.Thread(target=ask, args=(seed,)) for seed in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert errors == []


def test_nobody_answers():
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        with pytest.raises(ServingError, match="no answer from http://127.0.0.1") as refused:
            ServingClient(f"http://127.0.0.1:{port}", "mine").status()
    assert refused.value.status == 0


def test_something_else_answers(shared):
    with pytest.raises(ServingError, match="404"):
        ServingClient(shared.url + "/elsewhere", "mine").status()


@pytest.mark.parametrize("url", ["127.0.0.1:8501", "ftp://host", "http://"])
def test_a_url_that_is_none(url):
    with pytest.raises(ValueError, match="expected http://HOST:PORT"):
        ServingClient(url, "mine")
