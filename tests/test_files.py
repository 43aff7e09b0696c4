"""Atomic writing: the old file or the whole new one."""

import fcntl
import json
import os
import stat

import pytest

from tsad_keras.errors import InputError
from tsad_keras.files import atomic_folder, atomic_write, write_json


def test_writes_text_and_bytes_and_makes_folders(tmp_path):
    text, data = tmp_path / "a" / "b" / "text.txt", tmp_path / "data.bin"
    with atomic_write(text) as file:
        file.write("µ\n")
    with atomic_write(data, "wb") as file:
        file.write(b"\x00\n")
    assert text.read_bytes() == "µ\n".encode()
    assert data.read_bytes() == b"\x00\n"


def test_a_failed_block_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "file.txt"
    path.write_text("old")
    with pytest.raises(RuntimeError), atomic_write(path) as file:
        file.write("half of the new")
        raise RuntimeError
    assert path.read_text() == "old"
    assert [file.name for file in tmp_path.iterdir()] == ["file.txt"]


def test_the_new_text_appears_only_at_the_end(tmp_path):
    path = tmp_path / "file.txt"
    with atomic_write(path) as file:
        file.write("new")
        file.flush()
        assert not path.exists()
    assert path.read_text() == "new"


def test_a_full_disk_is_an_input_error(tmp_path):
    path = tmp_path / "file.txt"
    with pytest.raises(InputError, match=r"cannot write .*file\.txt: No space left"):  # noqa: SIM117
        with atomic_write(path):
            raise OSError(28, "No space left on device")
    assert list(tmp_path.iterdir()) == []


def test_a_file_in_the_place_of_the_folder_is_an_input_error(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(InputError, match="cannot write"), atomic_write(tmp_path / "file" / "a.txt"):
        pass


def test_a_folder_in_the_place_of_the_file_is_an_input_error(tmp_path):
    with pytest.raises(InputError, match="is a folder"), atomic_write(tmp_path):
        pass


def test_permissions_are_those_of_any_new_file(tmp_path):
    ordinary = tmp_path / "ordinary"
    ordinary.write_text("")
    with atomic_write(tmp_path / "atomic"):
        pass
    mode = stat.S_IMODE(ordinary.stat().st_mode)
    assert stat.S_IMODE((tmp_path / "atomic").stat().st_mode) == mode


def test_json_round_trip_and_no_nan(tmp_path):
    path = tmp_path / "a.json"
    write_json(path, {"b": [1, 2.5]})
    assert json.loads(path.read_text()) == {"b": [1, 2.5]}
    with pytest.raises(ValueError, match="JSON compliant"):
        write_json(path, {"b": float("nan")})
    assert json.loads(path.read_text()) == {"b": [1, 2.5]}


# --- folders --------------------------------------------------------------------------------------


def test_a_folder_appears_all_at_once(tmp_path):
    parent = tmp_path / "a" / "b"
    with atomic_folder(parent, lambda: "1") as folder:
        (folder / "deep").mkdir()
        (folder / "deep" / "file").write_text("whole")
        assert folder.parent == parent and folder.name.startswith(".")
        assert not (parent / "1").exists()
    assert [path.name for path in parent.iterdir()] == ["1"]
    assert (parent / "1" / "deep" / "file").read_text() == "whole"
    (tmp_path / "ordinary").mkdir()
    assert (parent / "1").stat().st_mode == (tmp_path / "ordinary").stat().st_mode


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_a_failed_block_leaves_no_folder(tmp_path, error):
    with pytest.raises(error), atomic_folder(tmp_path / "a" / "b", lambda: "1") as folder:
        (folder / "half").write_text("half")
        raise error
    assert list(tmp_path.iterdir()) == []


def test_a_name_that_is_taken_meanwhile_is_chosen_again(tmp_path):
    (tmp_path / "1").mkdir()
    (tmp_path / "1" / "theirs").write_text("x")
    (tmp_path / "2").write_text("a file")
    names = iter("123")
    with atomic_folder(tmp_path, lambda: next(names)) as folder:
        (folder / "ours").write_text("x")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["1", "2", "3"]
    assert [path.name for path in (tmp_path / "1").iterdir()] == ["theirs"]
    assert [path.name for path in (tmp_path / "3").iterdir()] == ["ours"]


def test_a_folder_whose_names_are_all_taken_is_an_input_error(tmp_path):
    (tmp_path / "1").mkdir()
    (tmp_path / "1" / "theirs").write_text("x")
    with (
        pytest.raises(InputError, match="every name that was tried is taken"),
        atomic_folder(tmp_path, lambda: "1"),
    ):
        pass
    assert [path.name for path in tmp_path.iterdir()] == ["1"]


def test_abandoned_folders_go_away_and_those_of_the_living_stay(tmp_path):
    for name in ("dead", "living", "fresh"):
        folder = tmp_path / f".unfinished-{name}"
        folder.mkdir()
        (folder / "half").write_text("half")
        if name != "fresh":
            os.utime(folder, (0, 0))
    descriptor = os.open(tmp_path / ".unfinished-living", os.O_RDONLY)
    fcntl.flock(descriptor, fcntl.LOCK_EX)  # as another process would hold it
    with atomic_folder(tmp_path, lambda: "1"):
        pass
    os.close(descriptor)
    left = sorted(path.name for path in tmp_path.iterdir())
    assert left == [".unfinished-fresh", ".unfinished-living", "1"]


def test_a_folder_that_cannot_be_made_is_an_input_error(tmp_path):
    (tmp_path / "file").write_text("x")
    for parent in (tmp_path / "file", tmp_path / "file" / "a"):
        with pytest.raises(InputError, match="cannot write to"), atomic_folder(parent, lambda: "1"):
            pass
    assert (tmp_path / "file").read_text() == "x"
