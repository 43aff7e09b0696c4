"""Whatever is wrong gets its code and one clear line; nothing is a 500."""

import json
import random
import socket

import numpy as np
import pytest

WINDOW = [[1.0, 12.0, 23.0]] * 20
RAGGED = [[[1.0, 12.0, 23.0]] * 19 + [[1.0, 12.0]]]


def with_value(value):
    return [[[value, 12.0, 23.0]] + WINDOW[1:]]


def assert_refused(answer, code, text):
    status, body = answer
    assert status == code
    assert list(body) == ["error"]
    assert text in body["error"]
    assert "\n" not in body["error"]
    assert "Traceback" not in body["error"]


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b"", "JSON Parse error: The document is empty"),
        (b"hello", "JSON Parse error: "),
        (b'{"instances": [[1, 2}', "at offset: 20"),
        (b'{"instances": ' + b"[" * 5000, "JSON Parse error: nested too deeply"),
        (b'\xff{"instances": []}', "not UTF-8 at offset: 0"),
        (b"[1, 2]", "Is not object"),
        (b'"text"', "Is not object"),
        (b"NaN", "Is not object"),
        ({}, "Missing 'inputs' or 'instances' key"),
        ({"inputs": [WINDOW], "instances": [WINDOW]}, "expecting only one of"),
        ({"instances": WINDOW[0][0]}, "expected to be a list/array"),
        ({"instances": {}}, "expected to be a list/array"),
        ({"instances": []}, "No values in 'instances' array"),
        ({"inputs": None}, "inputs is null"),
        ({"inputs": 3}, "inputs has shape [], expected [any, 20, 3]"),
        ({"inputs": []}, "inputs has shape [0]"),
        ({"inputs": [[]]}, "inputs has shape [1, 0]"),
        ({"inputs": WINDOW}, "inputs has shape [20, 3], expected [any, 20, 3]"),
        ({"inputs": [WINDOW[:-1]]}, "inputs has shape [1, 19, 3]"),
        ({"inputs": [[row + [1.0] for row in WINDOW]]}, "inputs has shape [1, 20, 4]"),
        ({"inputs": [[[[1.0] * 3] * 20]]}, "has shape [1, 1, 20, 3]"),
        ({"inputs": [[[[[1.0]]]]]}, "expected a number"),
        ({"inputs": RAGGED}, "inputs[0][19] has 2 values, expected 3"),
        ({"inputs": [WINDOW, WINDOW[:-1]]}, "inputs[1] has 19 values, expected 20"),
        ({"inputs": [[1.0, *WINDOW[1:]]]}, "inputs[0][1] is a list"),
        ({"inputs": [[*WINDOW[1:], 1.0]]}, "inputs[0][19] is a number"),
        # As many numbers as expected, in rows of the right length, but in lists of their own.
        ({"inputs": with_value([1.0])}, "inputs[0][0][1] is a number (12.0), expected a list of 1"),
        ({"inputs": [[[[], [1.0, 2.0], 3.0], *WINDOW[1:]]]}, "expected"),
        ({"inputs": [[[1.0, [2.0], 3.0], *WINDOW[1:]]]}, "inputs[0][0][1] is a list"),
        ({"inputs": with_value("NaN")}, 'inputs[0][0][0] is a string ("NaN"), expected a number'),
        ({"inputs": with_value("1.0")}, "is a string"),
        ({"inputs": [*with_value(float("nan")), *with_value("NaN")]}, 'is a string ("NaN")'),
        ({"inputs": with_value(None)}, "inputs[0][0][0] is null"),
        ({"inputs": with_value(True)}, "inputs[0][0][0] is a boolean"),
        ({"inputs": with_value({"b64": "AAAA"})}, "inputs[0][0][0] is an object"),
        ({"inputs": with_value(float("inf"))}, "inputs[0][0][0] is infinite"),
        ({"inputs": with_value(float("-inf"))}, "inputs[0][0][0] is infinite"),
        ({"inputs": with_value(1e39)}, "inputs[0][0][0] is infinite or beyond float32"),
        (json.dumps({"inputs": with_value(7.5)}).replace("7.5", "1e999").encode(), "is infinite"),
        ({"inputs": {"wrong": [WINDOW]}}, "Missing named input: windows"),
        ({"inputs": {"windows": RAGGED}}, "inputs.windows[0][19] has 2 values"),
        ({"instances": [{"windows": WINDOW}, WINDOW]}, "Expecting object but got a list at item 1"),
        ({"instances": [WINDOW, {"windows": WINDOW}]}, "instances[1] is an object"),
        ({"instances": [{"wrong": WINDOW}]}, "keys must be equal to: windows"),
        ({"instances": [{"windows": WINDOW, "more": 1}]}, "keys must be equal to: windows"),
        ({"instances": [{"windows": RAGGED[0]}]}, "instances[0].windows[19] has 2 values"),
        (
            {"instances": [{"windows": WINDOW}, {"windows": WINDOW[1:]}]},
            "Expecting shape [20, 3] but got: [19, 3]",
        ),
        (
            {"inputs": [WINDOW], "signature_name": "unknown"},
            'Serving signature name: "unknown" not found in signature def',
        ),
        ({"inputs": [WINDOW], "signature_name": 3}, "must be a string value"),
        (
            {"inputs": WINDOW[:19], "signature_name": "score_series"},
            "19 time steps, expected at least window_size (20)",
        ),
        ({"inputs": [WINDOW], "signature_name": "score_series"}, "expected [at least 20, 3]"),
        ({"inputs": [], "signature_name": "score_batch"}, "has shape [0]"),
    ],
)
def test_a_body_that_is_wrong(shared, body, text):
    assert_refused(shared.post(":predict", body), 400, text)


@pytest.mark.parametrize(
    ("method", "path", "code", "text"),
    [
        ("GET", "/v1/models/other", 404, "Could not find any versions of model other"),
        ("GET", "/v1/models/mine/versions/9", 404, "Could not find version 9 of model mine"),
        ("GET", "/v1/models/other/metadata", 404, "not found for request: Latest(other)"),
        ("GET", "/v1/models/mine/versions/9/metadata", 404, "Specific(mine, 9)"),
        ("POST", "/v1/models/other:predict", 404, "Servable not found for request: Latest(other)"),
        (
            "POST",
            "/v1/models/mine/versions/9:predict",
            404,
            "Servable not found for request: Specific(mine, 9)",
        ),
        ("POST", "/v1/models/mine/versions/x:predict", 404, "Malformed request: POST /v1/models/"),
        ("POST", "/v1/models/mine/versions/" + "9" * 5000 + ":predict", 404, "Malformed request"),
        ("POST", "/v1/models/mine:explain", 404, "Malformed request: POST /v1/models/mine:explain"),
        ("POST", "/v1/models/mine", 404, "Malformed request: POST /v1/models/mine"),
        ("GET", "/v1/models/mine:predict", 404, "Malformed request: GET /v1/models/mine:predict"),
        ("PUT", "/v1/models/mine:predict", 404, "Malformed request: PUT"),
        ("GET", "/", 404, "Malformed request: GET /"),
        ("GET", "/docs", 404, "Malformed request: GET /docs"),
        ("POST", "/v1/models/mine:classify", 400, "tensorflow/serving/classify"),
        ("GET", "/v1/models/mine/streams/none", 404, "Stream not found: none"),
        ("DELETE", "/v1/models/mine/streams/none", 404, "Stream not found: none"),
        ("POST", "/v1/models/mine/streams/a%20b:append", 400, "stream ID 'a b'"),
        ("POST", "/v1/models/mine/streams/" + "x" * 129 + ":append", 400, "1 to 128"),
    ],
)
def test_a_path_that_is_wrong(shared, method, path, code, text):
    body = b"{}" if method in ("POST", "PUT") else None
    assert_refused(shared.ask(method, path, body)[:2], code, text)


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ({}, "Missing 'rows' key"),
        ({"rows": 3}, "rows has shape []"),
        ({"rows": []}, "rows has shape [0], expected [at least 1, 3]"),
        ({"rows": [1.0, 2.0, 3.0]}, "rows has shape [3]"),
        ({"rows": [[1.0, 2.0]]}, "rows has shape [1, 2]"),
        ({"rows": [[1.0, 2.0, "NaN"]]}, "rows[0][2] is a string"),
        ({"rows": [[1.0, 2.0, [3.0]]]}, "rows[0][2] is a list"),
        ({"rows": [[1.0, 2.0, float("inf")]]}, "rows[0][2] is infinite"),
        ({"rows": [[1.0, 2.0, 3.0], [1.0]]}, "rows[1] has 1 values, expected 3"),
        ({"rows": [[1.0, 2.0, 3.0]], "timestamps": 5}, "timestamps is a number"),
        ({"rows": [[1.0, 2.0, 3.0]], "timestamps": [True]}, "timestamps[0] is a boolean"),
        ({"rows": [[1.0, 2.0, 3.0]], "timestamps": [[1]]}, "timestamps[0] is a list"),
        ({"rows": [[1.0, 2.0, 3.0]], "timestamps": ["yesterday"]}, "timestamps are no times"),
        ({"rows": [[1.0, 2.0, 3.0]], "timestamps": [1, 2]}, "timestamps have shape (2,)"),
        ({"rows": [[1.0, 2.0, 3.0]] * 2, "timestamps": [1, "2026-01-01"]}, "numbers and texts"),
        ({"rows": [[1.0, 2.0, 3.0]], "timestamps": [float("nan")]}, "timestamp number 1"),
        (b'{"rows": [', "JSON Parse error"),
    ],
)
def test_an_append_that_is_wrong_leaves_no_stream(shared, body, text):
    assert_refused(shared.post("/streams/wrong:append", body), 400, text)
    assert shared.get("/streams/wrong")[0] == 404


def test_too_many_rows(serve):
    server = serve(max_rows=50)
    assert server.post(":predict", {"inputs": [WINDOW] * 2})[0] == 200
    assert_refused(server.post(":predict", {"inputs": [WINDOW] * 3}), 413, "60 time steps came")
    many = b'{"inputs": [' + b"[]," * 1000 + b"[]]}"
    assert_refused(server.post(":predict", many), 413, "expected at most 50 time steps")
    rows = {"rows": [[1.0, 2.0, 3.0]] * 51}
    assert_refused(server.post("/streams/a:append", rows), 413, "51 rows came, expected at most 50")


def test_a_body_that_says_it_is_too_large(serve):
    server = serve(max_body_mb=0.1)
    body = b'{"inputs": ' + b" " * 100_000 + b"1}"
    assert_refused(server.post(":predict", body), 413, "the body is larger than 0.1 MB")
    answer = server.post(":predict", body, {"Expect": "100-continue"})
    assert_refused(answer, 413, "the body is larger than 0.1 MB")
    assert server.post(":predict", {"inputs": [WINDOW]})[0] == 200


def test_a_body_without_a_length_is_measured_while_it_comes(serve):
    server = serve(max_body_mb=0.1)
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as connection:
        connection.sendall(
            b"POST /v1/models/mine:predict HTTP/1.1\r\nHost: x\r\n"
            b"Transfer-Encoding: chunked\r\n\r\n"
        )
        for _ in range(30):
            connection.sendall(b"2710\r\n" + b" " * 10_000 + b"\r\n")
        connection.sendall(b"0\r\n\r\n")
        answer = connection.makefile("rb").read()
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert b'{"error":"the body is larger than 0.1 MB' in answer


def test_a_chunked_body_within_the_limit_is_read(shared, windows):
    body = json.dumps({"inputs": windows.tolist()}).encode()
    pieces = [body[i : i + 1000] for i in range(0, len(body), 1000)]
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces)
    with socket.create_connection(("127.0.0.1", shared.port), timeout=30) as connection:
        connection.sendall(
            b"POST /v1/models/mine:predict HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
            b"Transfer-Encoding: chunked\r\n\r\n" + chunks + b"0\r\n\r\n"
        )
        answer = connection.makefile("rb").read()
    assert answer.startswith(b"HTTP/1.1 200 ")
    expected = shared.post(":predict", {"inputs": windows.tolist()})[1]
    assert json.loads(answer.partition(b"\r\n\r\n")[2]) == expected


def test_brackets_in_texts_do_no_harm(shared, windows):
    plain = shared.post(":predict", {"inputs": windows.tolist()})
    odd = shared.post(":predict", {"inputs": windows.tolist(), "note": "[[[", "list": [[1]]})
    assert plain == odd


def test_token(serve):
    server = serve(token="secret")
    bearer = {"Authorization": "Bearer secret"}
    for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": "Basic secret"}):
        status, body, got = server.ask("GET", "/v1/models/mine", None, headers)
        assert_refused((status, body), 401, "Authorization: Bearer")
        assert got["WWW-Authenticate"] == "Bearer"
        assert server.ask("GET", "/metrics", None, headers)[0] == 401
        assert server.ask("POST", "/v1/models/mine:predict", b"{}", headers)[0] == 401
    assert server.ask("GET", "/v1/models/mine", None, bearer)[0] == 200
    assert server.ask("GET", "/healthz")[0] == 200


def test_mutated_bodies_are_never_a_500(shared):
    drawn = random.Random(0)
    original = json.dumps({"instances": [{"windows": WINDOW}], "signature_name": "score_windows"})
    pieces = ["NaN", "null", "[", "]", "{", "}", '"', ",", ":", "-", "1e400", "\\ud800", "true"]
    pieces += ["\\", "\x00", "é", "Infinity", "[[]]", '{"a":1}', "9" * 400, '"instances"', "1.5"]
    codes = set()
    for _ in range(400):
        text = original
        for _ in range(drawn.randint(1, 4)):
            start = drawn.randrange(len(text))
            end = start + drawn.choice([0, 0, 1, 3, 40])
            text = text[:start] + drawn.choice([*pieces, ""]) + text[end:]
        path = drawn.choice([":predict", "/streams/fuzz:append"])
        if "append" in path:
            text = text.replace("instances", "rows").replace("signature_name", "timestamps")
        status, body = shared.post(path, text.encode("utf-8", "surrogatepass"))
        codes.add(status)
        if status != 200:
            assert_refused((status, body), 400, "")
    assert codes <= {200, 400}


def test_random_bytes_are_never_a_500(shared):
    drawn = np.random.default_rng(0)
    for size in range(1, 60):
        status, body = shared.post(":predict", drawn.bytes(size))
        assert_refused((status, body), 400, "")


def test_a_defect_is_a_500_without_a_traceback(serve, monkeypatch, caplog):
    server = serve()
    monkeypatch.setattr(server.manager, "status", lambda *_: 1 / 0)
    assert_refused(server.get(""), 500, "Internal: a defect of the server")
    assert "ZeroDivisionError" in caplog.text  # the log has it
