"""Inputs in NumPy's own format."""

import io

import numpy as np
import pytest

from tsad_keras.serving.client import ServingClient, to_npy


def ask(server, body, query=""):
    path = "/v1/models/mine:predict" + query
    return server.ask("POST", path, body, {"Content-Type": "application/x-npy"})[:2]


def saved(values, **options):
    file = io.BytesIO()
    np.lib.format.write_array(file, values, **options)
    return file.getvalue()


def test_answers_are_those_of_json(shared, windows, series):
    expected = shared.post(":predict", {"inputs": windows.tolist()})
    assert ask(shared, to_npy(windows)) == expected
    assert ask(shared, saved(windows)) == expected  # float64
    assert ask(shared, saved(windows.astype(np.float32), version=(2, 0))) == expected
    body = {"inputs": series.tolist(), "signature_name": "score_series"}
    expected = shared.post(":predict", body)
    assert ask(shared, to_npy(series), "?signature_name=score_series") == expected


def test_the_client_speaks_it(shared, series):
    with ServingClient(shared.url, "mine", binary=True) as binary:
        got = binary.score_series(series)
        turned = binary.score_series(np.asfortranarray(series))
    expected = ServingClient(shared.url, "mine").score_series(series)
    for name, value in expected.items():
        np.testing.assert_array_equal(got[name], value)
        np.testing.assert_array_equal(turned[name], value)


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b"", "the body is no .npy file"),
        (b'{"inputs": []}', "the body is no .npy file"),
        (to_npy(np.zeros((1, 20, 3)))[:-1], "has 239 bytes, expected 240"),
        (to_npy(np.zeros((1, 20, 3))) + b"0", "has 241 bytes, expected 240"),
        (to_npy(np.zeros((1, 20, 3))).replace(b"(1, 20", b"(9, 20"), "expected 2160"),
        (to_npy(np.zeros((1, 20, 3))).replace(b"(1, ", b"(-1,"), "expected sizes of 0 or more"),
        (saved(np.zeros((1, 20, 3), np.int64)), "the array is <i8 in C order"),
        (saved(np.zeros((1, 20, 3), ">f4")), "the array is >f4 in C order"),
        (saved(np.asfortranarray(np.zeros((2, 20, 3)))), "in Fortran order"),
        (saved(np.zeros(3, object), allow_pickle=True), "the array is |O in C order"),
        (to_npy(np.zeros((1, 20, 4))), "the array has shape [1, 20, 4], expected [any, 20, 3]"),
        (to_npy(np.full((1, 20, 3), np.inf)), "the array[0][0][0] is infinite"),
        (saved(np.full((1, 20, 3), 1e300)), "the array[0][0][0] is infinite or beyond float32"),
    ],
)
def test_what_is_wrong_is_told(shared, body, text):
    status, answer = ask(shared, body)
    assert status == 400
    assert text in answer["error"]


def test_an_unknown_signature(shared):
    status, answer = ask(shared, to_npy(np.zeros((1, 20, 3))), "?signature_name=x")
    assert (status, answer["error"]) == (
        400,
        'Serving signature name: "x" not found in signature def',
    )


def test_mutated_bodies_are_never_a_500(shared, windows):
    drawn = np.random.default_rng(0)
    original = to_npy(windows)
    for _ in range(200):
        body = bytearray(original)
        for place in drawn.integers(0, 130, drawn.integers(1, 4)):
            body[place] = drawn.integers(0, 256)
        assert ask(shared, bytes(body))[0] in (200, 400)
