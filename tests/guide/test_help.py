"""`--help`: every command has its place and a page that is true, every setting its reason."""

import dataclasses
import inspect
import re
import shlex

import pytest

from tsad_keras.cli import build_parser, main
from tsad_keras.config import Config
from tsad_keras.guide import notes
from tsad_keras.guide.pages import FIRST_USE, GROUPS, PAGES

COMMANDS = list(build_parser()._subparsers._group_actions[0].choices)


def help_of(capsys, monkeypatch, *words, columns=100):
    monkeypatch.setenv("COLUMNS", str(columns))
    with pytest.raises(SystemExit) as stop:
        main([*words, "--help"])
    assert stop.value.code == 0
    return capsys.readouterr().out


def test_the_programs_help_names_each_command_once_in_a_group(capsys, monkeypatch):
    text = help_of(capsys, monkeypatch)
    listed = re.findall(r"^  ([a-z][a-z-]+)  +\S", text, flags=re.MULTILINE)
    assert sorted(listed) == sorted(COMMANDS)
    assert "other:" not in text, "a command has no group in tsad_keras/guide/pages.py"
    assert [f"{heading}:" for heading in GROUPS if f"{heading}:\n" not in text] == []
    assert "first use:" in text and "Exit codes" in text


def test_help_fits_a_terminal_of_80_columns(capsys, monkeypatch):
    text = help_of(capsys, monkeypatch, columns=80)
    assert max(map(len, text.splitlines())) <= 80


def test_a_command_without_a_group_is_still_listed(capsys, monkeypatch):
    monkeypatch.setattr("tsad_keras.guide.layout.GROUPS", {"learn": ("train", "no-such")})
    text = help_of(capsys, monkeypatch)
    assert "learn:\n  train " in text and "other:\n" in text and "no-such" not in text
    assert re.search(r"^  serve  ", text, flags=re.MULTILINE)


def command_lines():
    pages = [(name, line) for name, page in PAGES.items() for line in page.examples]
    first = [line for line in FIRST_USE.splitlines() if line.startswith("  tsad-keras")]
    return pages + [(line.split()[1], line) for line in first]


@pytest.mark.parametrize(("name", "line"), command_lines())
def test_an_example_is_a_command_line_that_the_parser_takes(name, line):
    words = re.search(r"tsad-keras ([^|>)]+)", line.partition("  #")[0])[1]
    parsed, unknown = build_parser().parse_known_args(shlex.split(words))
    assert (parsed.command, unknown) == (name, [])


@pytest.mark.parametrize("name", COMMANDS)
def test_the_usage_of_a_command_is_short_and_names_what_must_be_given(name, capsys, monkeypatch):
    text = help_of(capsys, monkeypatch, name)
    usage, blank = text.splitlines()[:2]
    assert usage.startswith(f"usage: tsad-keras {name}") and usage.endswith("[options]")
    assert blank == ""
    if name in PAGES:
        assert PAGES[name].text.split()[:5] == text.split("\n\n")[1].split()[:5]
        assert text.rstrip().endswith(PAGES[name].examples[-1])


def test_the_usage_tells_choices_and_either_or(capsys, monkeypatch):
    usage = help_of(capsys, monkeypatch, "train").splitlines()[0]
    assert "(--train-file FILE ... | --dataset NAME) --model-dir MODEL_DIR" in usage
    usage = help_of(capsys, monkeypatch, "completion").splitlines()[0]
    assert "completion {bash,zsh,fish,tcsh} [options]" in usage


@pytest.mark.parametrize("name", [field.name for field in dataclasses.fields(Config)])
def test_each_setting_has_a_section_and_a_reason(name):
    note = notes.setting_notes()[name]
    assert note.section and len(note.reason) > 3


def test_settings_are_grouped_as_in_config_with_reason_and_default(capsys, monkeypatch):
    text = " ".join(help_of(capsys, monkeypatch, "train").split())
    sections = re.findall(r"# --- (.+?) -+\n", inspect.getsource(Config))
    found = re.findall(r"settings: ([^-]+?): --", text)
    assert found == sections and len(found) > 5
    assert "not drown (default 0.01)" in text
    assert "divide each feature's error by what is typical of it on train (default on)" in text
    windows = text[text.index("settings: windows:") : text.index("settings: scaling:")]
    assert "--window-size N" in windows and "--clip" not in windows


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (["# --- a ---", "x: int = 1  # why"], ("a", "why")),
        (
            ["# --- a ---", "# above", "# goes on", "x: int = 1  # beside"],
            ("a", "above goes on beside"),
        ),
        (["# --- a ---", "x: float = (", "    1.0  # inside", ")"], ("a", "inside")),
        (["# --- a ---", "# not its own", "", "x: int = 1"], ("a", "")),
        (["x: int = 1  # before any section"], None),
        (
            ["# --- a ---", "x: int = 1  # why", "def f():", "    y: int = 2  # no field"],
            ("a", "why"),
        ),
    ],
)
def test_notes_are_read_off_the_source(lines, expected):
    found = notes._notes(lines)
    assert found.get("x") == (None if expected is None else notes.Note(*expected))
    assert set(found) <= {"x"}


def test_without_the_source_the_settings_stay(capsys, monkeypatch):
    def gone(thing):
        raise OSError("could not get source code")

    notes.setting_notes.cache_clear()
    monkeypatch.setattr(notes.inspect, "getsource", gone)
    text = help_of(capsys, monkeypatch, "train")
    notes.setting_notes.cache_clear()
    assert "--window-size N" in text and "default 100" in text
