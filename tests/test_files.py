"""Atomic writing: the old file or the whole new one."""

import json
import stat

import pytest

from tsad_keras.errors import InputError
from tsad_keras.files import atomic_write, write_json


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
