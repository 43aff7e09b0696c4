"""Downloads against a server on loopback that behaves well, badly, slowly or not at all."""

from __future__ import annotations

import hashlib
import http.server
import threading
import time
from collections import Counter
from types import SimpleNamespace

import pytest

from tsad_keras.datasets.download import NAMES, Source, download, git_blob_sha1, list_sources
from tsad_keras.errors import InputError

CONTENT = bytes(range(256)) * 2000  # 512,000 bytes
QUICK = {"timeout": 0.4, "retry_wait": 0.01, "num_attempts": 3, "progress": False}


def blob(content: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


@pytest.fixture
def server():
    """A server whose `behaviour` is a list: one word for each request, the last one repeated."""
    state = SimpleNamespace(behaviour=["good"], ranges=[], requests=Counter())

    class Handler(http.server.BaseHTTPRequestHandler):
        def log_message(self, *arguments):
            pass

        def do_GET(self):
            mode = state.behaviour.pop(0) if len(state.behaviour) > 1 else state.behaviour[0]
            state.requests[self.path] += 1
            wanted = self.headers.get("Range")
            state.ranges.append(wanted)
            start = int(wanted[6:-1]) if wanted and mode != "ignores range" else 0
            if mode.isdigit():
                self.send_error(int(mode))
                return
            if start >= len(CONTENT):
                self.send_error(416)
                return
            body = CONTENT[start:]
            if mode == "corrupted":
                body = body[:-1] + b"?"
            self.send_response(206 if start else 200)
            if start:
                shown = start + 1 if mode == "wrong range" else start
                last = len(CONTENT) - 1
                self.send_header("Content-Range", f"bytes {shown}-{last}/{len(CONTENT)}")
            if mode == "redirect":
                pass
            if mode != "no length":
                self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            try:
                if mode == "cut off":
                    self.wfile.write(body[: len(body) // 2])
                elif mode == "stalls":
                    self.wfile.write(body[:1000])
                    self.wfile.flush()
                    time.sleep(0.8)
                elif mode == "drips":
                    for position in range(12):
                        self.wfile.write(body[position : position + 1])
                        self.wfile.flush()
                        time.sleep(0.1)
                else:
                    self.wfile.write(body)
            except OSError:
                pass  # the client gave up, as it should

    httpd = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    state.url = f"http://127.0.0.1:{httpd.server_port}"
    yield state
    httpd.shutdown()
    thread.join()
    httpd.server_close()


@pytest.fixture
def source():
    return Source(("psm",), "owner/repo", "c0ffee", "data/a b.csv", blob(CONTENT), "PSM/a.csv")


def fetch(server, source, folder, **options):
    return download("psm", folder, base_url=server.url, sources=[source], **{**QUICK, **options})


def test_good_then_skipped(server, source, tmp_path):
    (path,) = fetch(server, source, tmp_path)
    assert path == tmp_path / "PSM" / "a.csv"
    assert path.read_bytes() == CONTENT
    assert server.requests == {"/owner/repo/c0ffee/data/a%20b.csv": 1}
    fetch(server, source, tmp_path)
    assert server.requests.total() == 1
    assert [p.name for p in path.parent.iterdir()] == ["a.csv"]


@pytest.mark.parametrize(
    ("behaviour", "num_requests"),
    [
        (["corrupted", "good"], 2),
        (["cut off", "good"], 2),
        (["stalls", "good"], 2),
        (["drips", "good"], 2),
        (["503", "good"], 2),
        (["429", "500", "good"], 3),
        (["no length"], 1),
        (["cut off", "ignores range"], 2),
        (["cut off", "wrong range", "good"], 3),
    ],
)
def test_recovers(server, source, tmp_path, behaviour, num_requests):
    server.behaviour = behaviour
    (path,) = fetch(server, source, tmp_path)
    assert path.read_bytes() == CONTENT
    assert server.requests.total() == num_requests


@pytest.mark.parametrize(
    ("behaviour", "reason", "num_requests"),
    [
        ("corrupted", "hash differs", 3),
        ("stalls", "stalled|timed out|timeout", 3),
        ("drips", "too slow", 3),
        ("404", "answers 404", 1),
        ("500", "answers 500", 3),
    ],
)
def test_gives_up_and_leaves_nothing_half(
    server, source, tmp_path, behaviour, reason, num_requests
):
    server.behaviour = [behaviour]
    with pytest.raises(InputError, match=reason) as error:
        fetch(server, source, tmp_path)
    message = str(error.value)
    assert f"{server.url}/owner/repo/c0ffee/data/a%20b.csv" in message
    assert str(tmp_path / "PSM" / "a.csv") in message
    assert "\n" not in message
    assert not (tmp_path / "PSM" / "a.csv").exists()
    assert server.requests.total() == num_requests


def test_cut_off_goes_on_where_it_stopped(server, source, tmp_path):
    server.behaviour = ["cut off"]
    with pytest.raises(InputError, match="cut off after"):
        fetch(server, source, tmp_path, num_attempts=1)
    part = tmp_path / "PSM" / "a.csv.part"
    assert part.read_bytes() == CONTENT[: len(CONTENT) // 2]
    server.behaviour = ["good"]
    fetch(server, source, tmp_path)
    assert server.ranges == [None, f"bytes={len(CONTENT) // 2}-"]
    assert not part.exists()


def test_damaged_part_is_thrown_away(server, source, tmp_path):
    part = tmp_path / "PSM" / "a.csv.part"
    part.parent.mkdir()
    for content in (b"damaged", CONTENT + b"too much", b"?" * len(CONTENT)):
        part.write_bytes(content)
        (path,) = fetch(server, source, tmp_path)
        assert path.read_bytes() == CONTENT
        path.unlink()


def test_complete_part_is_taken(server, source, tmp_path):
    part = tmp_path / "PSM" / "a.csv.part"
    part.parent.mkdir()
    part.write_bytes(CONTENT)
    (path,) = fetch(server, source, tmp_path)
    assert path.read_bytes() == CONTENT
    assert server.requests.total() == 1


def test_wrong_file_stays_until_the_right_one_is_whole(server, source, tmp_path):
    path = tmp_path / "PSM" / "a.csv"
    path.parent.mkdir()
    path.write_bytes(b"mine")
    server.behaviour = ["corrupted"]
    with pytest.raises(InputError):
        fetch(server, source, tmp_path)
    assert path.read_bytes() == b"mine"
    server.behaviour = ["good"]
    fetch(server, source, tmp_path)
    assert path.read_bytes() == CONTENT


def test_no_network_says_what_to_do(source, tmp_path):
    url = "http://127.0.0.1:9"
    with pytest.raises(
        InputError, match="no connection.*without a network.*put the file at"
    ) as error:
        download("psm", tmp_path, base_url=url, sources=[source], **QUICK)
    assert str(tmp_path / "PSM" / "a.csv") in str(error.value)


def test_size_cap(server, source, tmp_path):
    for behaviour in ("good", "no length"):
        server.behaviour = [behaviour]
        with pytest.raises(InputError, match="1000 (bytes )?allowed"):
            fetch(server, source, tmp_path, max_bytes=1000)
        assert not (tmp_path / "PSM" / "a.csv").exists()


@pytest.mark.parametrize("path", ["../x", "a/../../x", "/etc/x", "", "a\\..\\x", "C:x"])
def test_paths_stay_inside(server, source, tmp_path, path):
    bad = Source(("psm",), "o/r", "c", "p", source.git_blob_sha1, path)
    with pytest.raises(InputError, match="path"):
        fetch(server, bad, tmp_path)
    assert server.requests.total() == 0


def test_link_out_of_the_folder_is_refused(server, source, tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "PSM").symlink_to(tmp_path)
    with pytest.raises(InputError, match="leaves"):
        fetch(server, source, tmp_path / "data")


def test_other_refusals(server, source, tmp_path, monkeypatch):
    with pytest.raises(InputError, match="base_url is 'file:///etc'"):
        download("psm", tmp_path, base_url="file:///etc", sources=[source])
    with pytest.raises(InputError, match="cannot download 'smdd', expected one of: psm, smd"):
        download("smdd", tmp_path)
    with pytest.raises(InputError, match="synthetic data need no download"):
        download("synthetic", tmp_path)
    (tmp_path / "PSM" / "a.csv").mkdir(parents=True)
    with pytest.raises(InputError, match="is a folder, expected a file"):
        fetch(server, source, tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot write"):
        fetch(server, source, tmp_path / "file")
    (tmp_path / "PSM" / "stand_in.json").write_text("{}")
    with pytest.raises(InputError, match=r"stand_in\.json says"):
        fetch(server, source, tmp_path)


def test_the_list_of_sources():
    sources = list_sources("all")
    assert len({source.local_path for source in sources}) == len(sources)
    for source in sources:
        assert set(source.datasets) <= set(NAMES)
        assert len(source.git_blob_sha1) == len(source.commit) == 40
        assert ".." not in source.path + source.local_path
    counts = {name: len(list_sources(name)) for name in NAMES}
    assert counts == {"psm": 3, "smd": 112, "smap": 2 * 54 + 1, "msl": 2 * 27 + 1, "skab": 35}
    assert {s.local_path.split("/")[0] for s in list_sources("msl")} == {"SMAP_MSL"}


def test_real_files_have_the_listed_hashes(real_data_dir):
    checked = 0
    for source in list_sources("all"):
        path = real_data_dir / source.local_path
        if path.is_file():
            assert git_blob_sha1(path) == source.git_blob_sha1
            checked += 1
    assert checked > 0
