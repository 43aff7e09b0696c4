"""The command line: parses, and hands over to `commands`. Nothing heavy is imported here."""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import difflib
import logging
import os
import sys
from collections.abc import Iterator, Sequence
from typing import NoReturn

from tsad_keras.config import PRESETS, Config, choices, field_type
from tsad_keras.datasets import DATASET_NAMES
from tsad_keras.errors import InputError
from tsad_keras.version import __version__

EXIT_BAD_INPUT = 2
EXIT_INTERRUPTED = 130

_AFTER_INTERRUPT = {
    "train": "the same command goes on from the last checkpoint, if there is one",
    "score": "nothing was written; run it again",
    "evaluate": "nothing was written; run it again",
    "reproduce": "the same command goes on from the last checkpoint, if there is one",
    "download": "the same command goes on where it stopped",
}

_EPILOG = """\
examples:
  tsad-keras reproduce synthetic --output runs/synthetic
  tsad-keras train --train-file normal.csv --model-dir saved_models/mine
  tsad-keras score --model-dir saved_models/mine --input today.csv --output scores.csv
  tsad-keras evaluate --scores scores.csv --labels today_labels.csv
  tsad-keras download smd --data-dir data
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command.

    Args:
        arguments: Words after the program's name; default those of the process.

    Returns:
        Exit code: 0 done, 2 the input was at fault (one line on standard error says how to mend
        it), 130 interrupted.
    """
    # TensorFlow reads this when it is imported; its start-up notes are not for the user.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    parsed, unknown = build_parser().parse_known_args(arguments)
    if unknown:
        parsed.parser.refuse(unknown[0])
    with _console_log(parsed.quiet):
        try:
            from tsad_keras import commands

            getattr(commands, parsed.command)(parsed)
            if sys.stdout is not None:  # None: closed by the caller
                sys.stdout.flush()
        except InputError as error:
            return _fail(parsed.command, str(error))
        except BrokenPipeError:
            _silence_output()  # its reader went away (`| head`); there is nobody left to tell
            return 0
        except OSError as error:
            _silence_output()
            return _fail(
                parsed.command, f"{error}; check the path, its permissions and the free space"
            )
        except MemoryError as error:
            return _fail(parsed.command, f"out of memory ({error}); use smaller settings or data")
        except KeyboardInterrupt:
            _fail(parsed.command, f"interrupted; {_AFTER_INTERRUPT[parsed.command]}")
            return EXIT_INTERRUPTED
    return 0


def build_parser() -> argparse.ArgumentParser:
    """Builds the parser of all commands; settings become flags by their `Config` names."""
    parser = _Parser(
        prog="tsad-keras",
        description="Contrastive-GAN Transformer anomaly detection for multivariate time series.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"tsad_keras {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, text, add_arguments in (
        ("train", "train on normal history and save the model", _add_train),
        ("score", "score a file of any length with a trained model", _add_score),
        ("evaluate", "judge scores against labels (starts without TensorFlow)", _add_evaluate),
        ("reproduce", "train, score, compare with baselines, report", _add_reproduce),
        ("download", "fetch a published dataset and check its hashes", _add_download),
    ):
        command = commands.add_parser(name, help=text, description=text, allow_abbrev=False)
        add_arguments(command)
        command.add_argument(
            "--quiet", action="store_true", help="no progress bars, only warnings and the result"
        )
        command.set_defaults(parser=command)
    return parser


class _Parser(argparse.ArgumentParser):
    """One line for each mistake, like all other mistakes."""

    def error(self, message: str) -> NoReturn:
        message = " ".join(message.split())
        self.exit(EXIT_BAD_INPUT, f"{self.prog}: error: {message}; see {self.prog} --help\n")

    def refuse(self, word: str) -> NoReturn:
        """Ends the program because of a word that no argument takes."""
        if not word.startswith("-"):
            self.error(f"unexpected word {word!r}, expected flags only")
        name = word.partition("=")[0]
        near = difflib.get_close_matches(name, self._option_string_actions, n=1)
        self.error(f"unknown flag {name}, expected {near[0] if near else 'another'}")


@contextlib.contextmanager
def _console_log(quiet: bool) -> Iterator[None]:
    """Shows the package's log while a command runs: notes as output, warnings as errors."""
    logger = logging.getLogger("tsad_keras")
    before = logger.level
    notes, warnings = logging.StreamHandler(sys.stdout), logging.StreamHandler(sys.stderr)
    notes.addFilter(lambda record: record.levelno < logging.WARNING)
    warnings.setLevel(logging.WARNING)
    warnings.setFormatter(logging.Formatter("%(levelname)s: %(message)s"))
    for handler in (notes, warnings):
        handler.handleError = lambda record: None  # a closed pipe is found at the last print
        logger.addHandler(handler)
    logger.setLevel(logging.WARNING if quiet else logging.INFO)
    try:
        yield
    finally:
        logger.setLevel(before)
        for handler in (notes, warnings):
            logger.removeHandler(handler)


def _fail(command: str, message: str) -> int:
    print(f"tsad-keras {command}: error: {' '.join(message.split())}", file=sys.stderr)
    return EXIT_BAD_INPUT


def _silence_output() -> None:
    """Drops output that cannot be written: it would fail once more when the interpreter ends."""
    try:
        sys.stdout.flush()
    except OSError:
        with contextlib.suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _add_train(parser: argparse.ArgumentParser) -> None:
    _add_source(parser, required=True, file_flag="--train-file", many=True)
    parser.add_argument("--model-dir", required=True, help="folder for the model and its history")
    parser.add_argument("--tensorboard-dir", help="folder for TensorBoard logs")
    _add_settings(parser)


def _add_score(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--model-dir", required=True, help="folder of a trained model")
    _add_source(parser, required=True, file_flag="--input", many=False)
    parser.add_argument(
        "--output", required=True, help="CSV file for time, anomaly_score, is_anomaly"
    )
    parser.add_argument(
        "--chunk-size", type=_positive, default=10_000, help="rows read at a time (%(default)s)"
    )


def _add_evaluate(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--scores", required=True, help="CSV file that `score` wrote")
    _add_source(parser, required=True, file_flag="--labels", many=False)
    parser.add_argument("--output", help="JSON file for the numbers")


def _add_reproduce(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME", help=f"one of {', '.join(DATASET_NAMES)}")
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--entity", help="one series, such as machine-1-6 (default: all)")
    which.add_argument("--entities", nargs="+", metavar="E", help="several, or: all")
    _add_places(parser)
    parser.add_argument("--train-file", help="own data (NAME is own): training rows")
    parser.add_argument("--test-file", help="own data: test rows (default: last 30 %% of train)")
    parser.add_argument("--labels", help="own data: labels of the test rows")
    parser.add_argument("--output", help="folder for everything (default: runs/NAME)")
    parser.add_argument("--seeds", type=_positive, default=1, help="runs an entity (%(default)s)")
    _add_settings(parser)


def _add_download(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME", help="psm, smd, smap, msl, skab or all")
    parser.add_argument("--data-dir", default="data", help="folder for the files (%(default)s)")


def _add_source(
    parser: argparse.ArgumentParser, *, required: bool, file_flag: str, many: bool
) -> None:
    """Data from a file of the user's, or from a dataset by name."""
    group = parser.add_mutually_exclusive_group(required=required)
    nargs = {"nargs": "+"} if many else {}
    text = "CSV or Parquet file" + (", several = several series" if many else "")
    group.add_argument(file_flag, metavar="FILE", help=text, **nargs)
    group.add_argument("--dataset", metavar="NAME", help=f"one of {', '.join(DATASET_NAMES)}")
    parser.add_argument("--entity", help="which series of the dataset, such as machine-1-6")
    _add_places(parser)


def _add_places(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--data-dir", default="data", help="folder of the datasets (%(default)s)")
    parser.add_argument("--time-column", help="own data: the time column (default: found)")
    parser.add_argument("--label-column", help="own data: the label column (default: found)")


def _add_settings(parser: argparse.ArgumentParser) -> None:
    """One flag for each field of `Config`; those left out keep the preset's value."""
    group = parser.add_argument_group("settings")
    base = group.add_mutually_exclusive_group()
    base.add_argument(
        "--preset", metavar="P", help=f"{' or '.join(PRESETS)} (the first is default)"
    )
    base.add_argument("--config", metavar="FILE", help="JSON file of settings, as config.json")
    for field in dataclasses.fields(Config):
        flag = "--" + field.name.replace("_", "-")
        options: dict = {"dest": field.name, "default": argparse.SUPPRESS}
        hint = field_type(field.name)
        if hint is bool:
            options["action"] = argparse.BooleanOptionalAction
        elif choices(field.name):
            options["choices"] = choices(field.name)
        else:
            options["type"] = _whole_number if hint is int else _number
            options["metavar"] = "N" if hint is int else "X"
        group.add_argument(flag, help=f"default {field.default}", **options)


def _whole_number(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} came, expected a whole number") from None


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} came, expected a number") from None


def _positive(text: str) -> int:
    value = _whole_number(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{value} came, expected 1 or more")
    return value
