"""Versions come, break, change and go while requests are answered."""

import shutil
import threading

import numpy as np
import pytest

from tsad_keras.errors import InputError
from tsad_keras.serving.metrics import Metrics
from tsad_keras.serving.versions import VersionManager


def states(server):
    answer = server.get("")[1]["model_version_status"]
    return {int(one["version"]): one["state"] for one in answer}


def scores_of(server, windows, path=":predict"):
    status, answer = server.post(path, {"inputs": windows.tolist()})
    assert status == 200
    return np.array(answer["outputs"]["anomaly_score"])


def expected(loaded, version, windows):
    return np.stack([loaded[version].decision_function(window) for window in windows])


def test_a_new_version_takes_over_without_a_lost_request(serve, add_version, loaded, windows):
    server = serve()
    wanted = {version: expected(loaded, version, windows) for version in (1, 2)}
    assert not np.allclose(wanted[1], wanted[2], rtol=1e-3)
    seen, stop, after = [], threading.Event(), threading.Event()

    def ask():
        mine = []
        while not stop.is_set():
            scores = scores_of(server, windows)
            version = next(v for v in (1, 2) if np.allclose(scores, wanted[v], 1e-5, 1e-5))
            mine.append(version)
            if version == 2:
                after.set()
        seen.append(mine)

    threads = [threading.Thread(target=ask) for _ in range(3)]
    for thread in threads:
        thread.start()
    add_version(2, 2)
    server.manager.poll()
    assert after.wait(30)
    stop.set()
    for thread in threads:
        thread.join(30)
    assert len(seen) == 3  # nobody failed
    assert all(mine == sorted(mine) for mine in seen)  # never back to the old one
    assert server.manager.versions == [2]
    assert states(server) == {2: "AVAILABLE", 1: "END"}
    assert server.post("/versions/1:predict", {"inputs": windows.tolist()})[0] == 404


def test_the_thread_finds_a_new_version(export_dir, add_version):
    manager = VersionManager(
        export_dir, "mine", num_versions=1, poll_seconds=0.02, metrics=Metrics()
    )
    swapped = threading.Event()
    replace = manager._replace
    manager._replace = lambda *a: (replace(*a), manager.versions == [2] and swapped.set())
    manager.start()
    add_version(2, 2)
    assert swapped.wait(30)
    manager.stop()


def test_several_versions_answer_side_by_side(serve, add_version, loaded, windows):
    add_version(2, 2)
    server = serve(num_versions=2)
    assert states(server) == {1: "AVAILABLE", 2: "AVAILABLE"}
    for version in (1, 2):
        got = scores_of(server, windows, f"/versions/{version}:predict")
        np.testing.assert_allclose(got, expected(loaded, version, windows), 1e-5, 1e-5)
    np.testing.assert_array_equal(scores_of(server, windows), got)


def test_a_request_under_way_finishes_on_its_version(serve, add_version, loaded, windows):
    server = serve()
    answers = []
    with server.held() as held:
        thread = threading.Thread(target=lambda: answers.append(scores_of(server, windows)))
        thread.start()
        held.wait_for_queue(1)
        add_version(2, 2)
        server.manager.poll()
        assert server.manager.versions == [2]
        held.open()
        thread.join(30)
    np.testing.assert_allclose(answers[0], expected(loaded, 1, windows), 1e-5, 1e-5)


@pytest.mark.parametrize("damage", ["graph", "variables", "metadata", "empty graph"])
def test_a_broken_version_is_told_and_passed_over(
    serve, add_version, export_dir, exports, windows, damage
):
    server = serve()
    before = scores_of(server, windows)
    shutil.copytree(exports / "2", export_dir / ".copy")
    if damage == "graph":
        (export_dir / ".copy" / "saved_model.pb").write_bytes(b"nonsense")
    elif damage == "empty graph":
        (export_dir / ".copy" / "saved_model.pb").write_bytes(b"")
    elif damage == "variables":
        (export_dir / ".copy" / "variables" / "variables.index").write_bytes(b"nonsense")
    else:
        (export_dir / ".copy" / "assets" / "metadata.json").write_text("{}")
    (export_dir / ".copy").rename(export_dir / "2")
    server.manager.poll()
    server.manager.poll()
    assert states(server) == {1: "AVAILABLE", 2: "END"}
    status = server.get("/versions/2")[1]["model_version_status"][0]["status"]
    assert status["error_code"] == "FAILED_PRECONDITION"
    assert status["error_message"]
    assert "\n" not in status["error_message"]
    assert server.metric('tsad_version_loads_total{result="failed"}') == 1  # not tried again
    np.testing.assert_array_equal(scores_of(server, windows), before)

    shutil.rmtree(export_dir / "2")
    add_version(2, 2)  # mended
    server.manager.poll()
    assert server.manager.versions == [2]


def test_a_deleted_version_gives_way_to_the_one_before(serve, add_version, export_dir, windows):
    add_version(2, 2)
    server = serve()
    assert server.manager.versions == [2]
    shutil.rmtree(export_dir / "2")
    server.manager.poll()
    assert server.manager.versions == [1]
    assert states(server) == {1: "AVAILABLE", 2: "END"}
    shutil.rmtree(export_dir / "1")
    server.manager.poll()
    assert server.ask("GET", "/healthz")[:2] == (
        503,
        {"status": "no version answers", "versions": []},
    )
    status, answer = server.post(":predict", {"inputs": windows.tolist()})
    assert (status, answer) == (
        404,
        {"error": "Servable not found for request: Latest(mine)"},
    )
    add_version(1, 7)
    server.manager.poll()
    assert server.manager.versions == [7]


def test_a_folder_that_is_away_for_a_while_changes_nothing(serve, export_dir, windows):
    server = serve()
    export_dir.rename(export_dir.with_name("away"))
    server.manager.poll()
    scores_of(server, windows)


def test_a_version_that_is_replaced_under_its_number_is_loaded_again(
    serve, export_dir, add_version, loaded, windows
):
    server = serve()
    shutil.rmtree(export_dir / "1")
    add_version(2, 1)
    server.manager.poll()
    np.testing.assert_allclose(scores_of(server, windows), expected(loaded, 2, windows), 1e-5, 1e-5)


def test_warm_up_does_without_its_file(export_dir, serve):
    shutil.rmtree(export_dir / "1" / "assets.extra")
    assert serve().manager.versions == [1]


@pytest.mark.parametrize("content", ["nothing", "no folder", "a broken version"])
def test_without_a_version_there_is_no_server(tmp_path, content):
    folder = tmp_path / "mine"
    if content != "no folder":
        folder.mkdir()
    if content == "a broken version":
        (folder / "1").mkdir()
        (folder / "1" / "saved_model.pb").write_bytes(b"nonsense")
    manager = VersionManager(folder, "mine", num_versions=1, poll_seconds=1, metrics=Metrics())
    with pytest.raises(InputError, match="export"):
        manager.start()
