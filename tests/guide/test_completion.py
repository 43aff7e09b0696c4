"""`completion`: the scripts work in real shells, and are made of the parser."""

import shutil
import subprocess

import pytest

from tsad_keras.cli import build_parser, main
from tsad_keras.guide.completion import SHELLS

ASK = r"""
source ./script
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMP_LINE="$*"; COMP_POINT=${#COMP_LINE}
function=$(complete -p tsad-keras | sed 's/.*-F \([^ ]*\).*/\1/')
$function tsad-keras "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD-1]}"
printf '%s\n' "${COMPREPLY[@]}"
"""


def script_of(capsys, shell):
    assert main(["completion", shell]) == 0
    output, errors = capsys.readouterr()
    assert errors == ""
    return output


def run(program, *words, cwd):
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not installed")
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(cwd)}  # and no tsad-keras
    return subprocess.run(
        [program, *words], cwd=cwd, env=environment, capture_output=True, text=True, timeout=60
    )


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "normal.csv").touch()
    (tmp_path / "models").mkdir()
    return tmp_path


@pytest.mark.parametrize(
    ("words", "expected", "others"),
    [
        (["tr"], ["train"], ["score"]),
        (["s"], ["score", "serve", "stream"], ["train"]),
        (["train", "--early"], ["--early-stopping-patience"], ["--epochs"]),
        (["train", "--mask-type", ""], ["geometric", "random", "none"], []),
        (["train", "--dataset", "s"], ["synthetic", "smd", "smap", "skab"], ["psm"]),
        (["train", "--preset", ""], ["contrastive-gan", "hybrid"], []),
        (["train", "--train-file", "no"], ["normal.csv"], ["models"]),
        (["train", "--model-dir", ""], ["models"], ["normal.csv"]),
        (["serve", "--export-dir", ""], ["models"], ["normal.csv"]),
        (["download", ""], ["psm", "smd", "all"], ["synthetic", "own"]),
        (["reproduce", ""], ["synthetic", "own"], []),
        (["completion", ""], list(SHELLS), []),
    ],
    ids=" ".join,
)
def test_bash_completes(words, expected, others, folder, capsys):
    (folder / "script").write_text(script_of(capsys, "bash"))
    done = run("bash", "-c", ASK, "ask", "tsad-keras", *words, cwd=folder)
    assert done.stderr == ""
    offered = [word.rstrip("/ ") for word in done.stdout.splitlines()]
    assert set(expected) <= set(offered)
    assert not set(others) & set(offered)


def test_fish_completes(folder, capsys):
    (folder / "script").write_text(script_of(capsys, "fish"))
    for line, expected in (("tr", "train"), ("train --mask-type ", "geometric")):
        ask = f"source ./script; complete -C 'tsad-keras {line}'"
        done = run("fish", "--no-config", "-c", ask, cwd=folder)
        assert expected in [line.split("\t")[0] for line in done.stdout.splitlines()], done.stderr


def test_zsh_finds_the_script_in_its_fpath_and_can_read_it(folder, capsys):
    (folder / "_tsad-keras").write_text(script_of(capsys, "zsh"))
    load = "fpath=($PWD $fpath); autoload -U compinit; compinit -u -D; print ${_comps[tsad-keras]}"
    done = run("zsh", "-f", "-c", load, cwd=folder)
    assert (done.stdout, done.stderr) == ("_tsad-keras\n", "")
    done = run("zsh", "-n", "_tsad-keras", cwd=folder)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("shell", SHELLS)
def test_a_script_knows_every_command_and_its_flags(shell, capsys):
    script = script_of(capsys, shell)
    for name in build_parser()._subparsers._group_actions[0].choices:
        assert name in script
    assert "window-size" in script and "export-dir" in script


def test_an_unknown_shell_is_told_with_the_known_ones(capsys):
    with pytest.raises(SystemExit) as stop:
        main(["completion", "ksh"])
    errors = capsys.readouterr().err
    assert stop.value.code == 2 and errors.count("\n") == 1
    assert "invalid choice: 'ksh'" in errors and "bash" in errors
