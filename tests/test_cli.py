"""The command line's words: flags are the settings, mistakes are one line, nothing heavy starts."""

import dataclasses
import json
import logging
import subprocess
import sys
from pathlib import Path

import pytest

import tsad_keras
from tsad_keras import commands
from tsad_keras.cli import EXIT_BAD_INPUT, EXIT_INTERRUPTED, build_parser, main
from tsad_keras.commands.sources import read_config
from tsad_keras.config import PRESETS, Config, choices, field_type
from tsad_keras.errors import InputError

ROOT = Path(tsad_keras.__file__).parents[1]
TRAIN = ["train", "--train-file", "a.csv", "--model-dir", "m"]
REPRODUCE = ["reproduce", "synthetic"]

# command line: what its one line of error must hold
MISTAKES = {
    "": "arguments are required: COMMAND",
    "nosuch": "invalid choice: 'nosuch'",
    "train": "required: --model-dir",
    "train --model-dir m": "--train-file --dataset is required",
    "train --model-dir m --train-file a.csv --dataset smd": "not allowed with argument",
    "train --model-dir m --dataset smd --epoch 3": "unknown flag --epoch, expected --epochs",
    "train --model-dir m --dataset smd --epoch=3": "unknown flag --epoch, expected --epochs",
    "reproduce synthetic machine-1-6": "unexpected word 'machine-1-6', expected flags only",
    "train --model-dir m --dataset smd --epochs many": "'many' came, expected a whole number",
    "train --model-dir m --dataset smd --epochs 2.5": "'2.5' came, expected a whole number",
    "train --model-dir m --dataset smd --dropout low": "'low' came, expected a number",
    "train --model-dir m --dataset smd --dropout 1": "dropout is 1.0, expected 0 or more and at",
    "train --model-dir m --dataset smd --learning-rate nan": "expected a finite number",
    "train --model-dir m --dataset smd --seed -1": "seed is -1, expected 0 or more",
    "train --model-dir m --dataset smd --mask-type big": "invalid choice: 'big'",
    "train --model-dir m --dataset smd --hidden-dim 30": "expected a multiple of num_heads (4)",
    "train --model-dir m --dataset smd --preset best": "unknown preset 'best', expected one of",
    "train --model-dir m --dataset smd --preset hybrid --config c.json": "not allowed with",
    "train --model-dir m --dataset smd --config none.json": "cannot read the config file none.json",
    "train --model-dir m --dataset smd --config .": "cannot read the config file .",
    "train --model-dir m --dataset nosuch": "unknown dataset 'nosuch', expected one of: synthetic",
    "train --model-dir m --dataset synthetic --entity x": "unknown entity 'x' of synthetic",
    "train --model-dir m --dataset smd --data-dir no": "fetch them with `python -m tsad_keras",
    "train --model-dir m --dataset synthetic --time-column t": "--time-column came with the",
    "train --model-dir m --train-file a.csv --entity x": "--entity x came with a file",
    "train --model-dir m --train-file a.csv": "a.csv not found, expected a CSV or Parquet file",
    "train --model-dir m --dataset smd --tensorboard-dir /proc/no": "cannot write to /proc/no",
    "train --model-dir /proc/m --dataset synthetic": "cannot write to /proc/m",
    "score --model-dir m --output s.csv": "--input --dataset is required",
    "score --model-dir m --input a.csv --output s.csv --chunk-size 0": "0 came, expected 1 or more",
    "score --model-dir m --input a.csv --output s.csv --chunk-size x": "'x' came, expected a whole",
    "score --model-dir m --input a.csv --output .": ". is a folder, expected a file name",
    "score --model-dir m --input a.csv --output /proc/no/s.csv": "cannot write to /proc/no",
    "evaluate --scores no.csv --labels a.csv": "no.csv not found",
    "report --model-dir m --input a.csv": "required: --output",
    "report --model-dir m --output r.html": "--input --dataset is required",
    "report --model-dir m --input a.csv --output .": ". is a folder, expected a file name",
    "report --model-dir m --dataset smd --labels l.csv --output r.html": "which has its own",
    "reproduce nosuch": "unknown dataset 'nosuch'",
    "reproduce synthetic --entity x": "unknown entity 'x' of synthetic",
    "reproduce synthetic --entities synthetic x": "unknown entity 'x' of synthetic",
    "reproduce synthetic --seeds 0": "0 came, expected 1 or more",
    "reproduce synthetic --train-file a.csv": "--train-file came with the dataset synthetic",
    "reproduce synthetic --label-column t": "--label-column came with the dataset synthetic",
    "reproduce own --labels a.csv": "--test-file and --labels need --train-file",
    "benchmark --datasets smd": "required: --output",
    "benchmark --output o": "required: --datasets",
    "benchmark --datasets nosuch --output o": "unknown dataset 'nosuch', expected one of",
    "benchmark --datasets synthetic --output o --methods randon": "expected 'random'? Or one of",
    "benchmark --datasets synthetic --output o --entities x": "unknown entity 'x', expected one",
    "benchmark --datasets synthetic --output o --jobs 0": "0 came, expected 1 or more",
    "benchmark --datasets synthetic --output o --preset hybrid": "unknown flag --preset",
    "benchmark --datasets synthetic --output o --time-column t": "--time-column came with the",
    "benchmark --datasets synthetic --output /proc/no": "cannot write to /proc/no",
    "benchmark --datasets synthetic --output o --window-size 21": "error: window_size is 21",
    "download nosuch": "cannot download 'nosuch', expected one of",
    "download smd --data-dir /proc/no": "cannot write to /proc/no",
}


@pytest.mark.parametrize("words", MISTAKES)
def test_a_mistake_is_one_line_with_exit_code_2_and_leaves_nothing(
    words, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    try:
        code = main(words.split())
    except SystemExit as stop:  # argparse ends the program itself
        code = stop.code
    output, errors = capsys.readouterr()
    assert code == EXIT_BAD_INPUT
    assert MISTAKES[words] in errors
    assert errors.startswith("tsad-keras") and errors.count("\n") == 1
    assert output == ""
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("text", "fragment"),
    [
        ("{nope", "cannot read the config file"),
        ("[1]", "holds a JSON list, expected an object"),
        ('{"epoch": 3}', "c.json: unknown setting 'epoch', expected one of"),
        ('{"epochs": "3"}', "c.json: epochs is '3', expected a finite number"),
        ('{"epochs": null}', "c.json: epochs is None, expected a finite number"),
        ('{"mask_type": ["geometric"]}', "c.json: mask_type is ['geometric'], expected one of"),
        ("\xff", "cannot read the config file"),
    ],
)
def test_a_config_file_at_fault_is_named(text, fragment, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("c.json").write_bytes(text.encode("latin-1"))
    assert main([*TRAIN, "--config", "c.json"]) == EXIT_BAD_INPUT
    errors = capsys.readouterr().err
    assert fragment in errors and "c.json" in errors and errors.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["c.json"]


def other_value(name):
    """A value that a field may have beside its default."""
    value = getattr(Config(), name)
    special = {"window_size": 200, "num_heads": 2, "masking_ratio": 0.2, "epochs": 3}
    if name in special:
        return special[name]
    if isinstance(value, bool):
        return not value
    if choices(name):
        return next(word for word in choices(name) if word != value)
    return 2 * value if value else field_type(name)(0.5 if field_type(name) is float else 7)


@pytest.mark.parametrize("base", [TRAIN, REPRODUCE], ids=["train", "reproduce"])
@pytest.mark.parametrize("name", [field.name for field in dataclasses.fields(Config)])
def test_each_field_has_a_flag_that_reaches_the_config(base, name):
    flag, value = "--" + name.replace("_", "-"), other_value(name)
    words = [flag, str(value)]
    if isinstance(value, bool):
        words = [flag if value else flag.replace("--", "--no-", 1)]
    config = read_config(build_parser().parse_args([*base, *words]))
    assert config == dataclasses.replace(Config(), **{name: value})
    assert config != Config()


@pytest.mark.parametrize("preset", PRESETS)
def test_a_preset_holds_but_for_the_flags_given(preset):
    config = read_config(build_parser().parse_args([*TRAIN, "--preset", preset, "--seed", "9"]))
    assert config == Config.from_preset(preset, seed=9)


def test_a_config_file_holds_but_for_the_flags_given(tmp_path):
    path = tmp_path / "config.json"
    path.write_text(json.dumps({"epochs": 7, "window_size": 60}))
    words = ["--config", str(path), "--window-size", "80", "--score-stride", "40"]
    config = read_config(build_parser().parse_args([*TRAIN, *words]))
    assert (config.epochs, config.window_size, config.score_stride) == (7, 80, 40)
    assert config.hidden_dim == Config().hidden_dim


@pytest.mark.parametrize(
    "command", ["", "train", "score", "evaluate", "report", "reproduce", "download"]
)
def test_help_tells_and_ends_well(command, capsys):
    with pytest.raises(SystemExit) as stop:
        main([*command.split(), "--help"])
    output, errors = capsys.readouterr()
    assert stop.value.code == 0
    assert output.startswith(f"usage: tsad-keras {command}".rstrip()) and errors == ""


def run_instead(monkeypatch, function):
    monkeypatch.setattr(commands, "download", function)
    return main(["download", "smd"])


@pytest.mark.parametrize(
    ("raised", "code", "fragment"),
    [
        (InputError("a\nb"), EXIT_BAD_INPUT, "error: a b\n"),
        (OSError(28, "No space left on device"), EXIT_BAD_INPUT, "No space left on device; check"),
        (MemoryError("10 GB"), EXIT_BAD_INPUT, "out of memory (10 GB)"),
        (KeyboardInterrupt(), EXIT_INTERRUPTED, "interrupted; the same command goes on where"),
        (BrokenPipeError(), 0, ""),
    ],
)
def test_what_a_command_raises_becomes_an_exit_code(raised, code, fragment, monkeypatch, capsys):
    def fail(arguments):
        raise raised

    assert run_instead(monkeypatch, fail) == code
    errors = capsys.readouterr().err
    assert fragment in errors and errors.count("\n") == bool(fragment)


def test_a_defect_keeps_its_traceback(monkeypatch):
    def fail(arguments):
        raise RuntimeError("a defect")

    with pytest.raises(RuntimeError, match="a defect"):
        run_instead(monkeypatch, fail)


def test_notes_are_output_and_warnings_are_errors_for_the_time_of_the_command(monkeypatch, capsys):
    logger = logging.getLogger("tsad_keras.somewhere")

    def talk(arguments):
        logger.info("a note")
        logger.warning("a warning")

    before = list(logging.getLogger("tsad_keras").handlers)
    assert run_instead(monkeypatch, talk) == 0
    assert capsys.readouterr() == ("a note\n", "WARNING: a warning\n")
    assert logging.getLogger("tsad_keras").handlers == before


def python(code, *, cwd):
    environment = {"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"}
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
    )


LOADED = """
import sys
from tsad_keras.cli import main
for words in {commands!r}:
    try:
        code = main(words.split())
    except SystemExit as stop:
        code = stop.code
    assert code == 0, words
heavy = [name for name in {heavy!r} if name in sys.modules]
assert not heavy, heavy
"""


def test_help_loads_neither_tensorflow_nor_pandas(tmp_path):
    commands = ["--help", "--version", "train --help", "score --help", "reproduce --help"]
    commands += ["benchmark --help"]
    code = LOADED.format(commands=commands, heavy=["tensorflow", "keras", "pandas", "numpy"])
    done = python(code, cwd=tmp_path)
    assert done.returncode == 0, done.stderr


def test_evaluate_starts_without_tensorflow_and_ends_quietly_when_its_reader_goes(tmp_path):
    (tmp_path / "s.csv").write_text("time,anomaly_score,is_anomaly\n1,0.5,0\n2,2,1\n3,1,0\n")
    (tmp_path / "l.csv").write_text("label\n0\n1\n0\n")
    words = "evaluate --scores s.csv --labels l.csv"
    done = python(LOADED.format(commands=[words], heavy=["tensorflow", "keras"]), cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "vus_pr_score" in done.stdout
    closed = (
        "import os, sys\nfrom tsad_keras.cli import main\nread, write = os.pipe()\n"
        "os.dup2(write, 1)\nos.close(write)\nos.close(read)\n"
        f"sys.exit(main({words.split()!r}))"
    )
    done = python(closed, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
