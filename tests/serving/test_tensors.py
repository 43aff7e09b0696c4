"""The quick and the slow way from JSON to arrays agree in what they take and what they refuse."""

import json
import random

import numpy as np
import pytest

from tsad_keras.serving import tensors
from tsad_keras.serving.answers import RequestError


def read(body):
    """Array and its type, or the refusal."""
    try:
        document = tensors.Document(body, 1000)
        array = document.array(document.members["x"], "x", np.float64)
        document.check_read({"x": document.members["x"]})
    except RequestError as error:
        return error.status, error.message
    return array.shape, array.tobytes()


def slowly(body, monkeypatch):
    with monkeypatch.context() as without:
        without.setattr(tensors, "simdjson", None)
        return read(body)


def drawn_value(drawn, depth):
    """Mostly regular nested lists, now and then with something odd in a place."""
    if drawn.random() < 0.04:
        return drawn.choice([None, True, "1", "NaN", [], {}, [1.0], [[2]], 10**25, float("nan")])
    if depth == 0:
        return drawn.choice([1, -2.5, 0.0, 1e-320, 2**63, float("nan"), 3e38, 1e39])
    size = drawn.choice([2, 2, 2, 2, 2, 2, 3])
    return [drawn_value(drawn, depth - 1) for _ in range(size)]


@pytest.mark.parametrize("seed", range(20))
def test_both_ways_agree(seed, monkeypatch):
    pytest.importorskip("simdjson")
    drawn = random.Random(seed)
    for _ in range(50):
        value = drawn_value(drawn, drawn.randint(0, 4))
        body = json.dumps({"x": value, "note": drawn.choice(["", "[[", "NaN"])}).encode()
        assert read(body) == slowly(body, monkeypatch), body


@pytest.mark.parametrize("text", ["1.5", "NaN", "-0.0", "1e5", "123456789012345678901234567890"])
def test_numbers_come_as_python_reads_them(text, monkeypatch):
    body = b'{"x": [[' + text.encode() + b", 2]]}"
    for shape, data in (read(body), slowly(body, monkeypatch)):
        assert shape == (1, 2)
        np.testing.assert_array_equal(np.frombuffer(data), [float(text), 2.0])


def test_the_number_that_stands_for_nan_is_itself_in_a_body(monkeypatch):
    body = b'{"x": [NaN, -1.7976931348623157e308]}'
    assert read(body) == slowly(body, monkeypatch)
    assert np.frombuffer(read(body)[1])[1] == -np.finfo(np.float64).max


def test_far_too_many_lists_are_refused_before_they_are_made():
    assert read(b'{"x": [' + b"[]," * 5000 + b"[]]}")[0] == 413
    assert read(b'{"x": NaN, "y": [' + b"{}," * 5000 + b"{}")[0] == 413
