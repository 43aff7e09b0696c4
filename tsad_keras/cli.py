"""The command line: parses, and hands over to `commands`. Nothing heavy is imported here."""

from __future__ import annotations

import argparse
import contextlib
import difflib
import logging
import os
import sys
from collections.abc import Iterator, Sequence
from typing import NoReturn

from tsad_keras import flags
from tsad_keras.errors import InputError
from tsad_keras.guide import layout
from tsad_keras.version import __version__

EXIT_BAD_INPUT = 2
EXIT_INTERRUPTED = 130

_AFTER_INTERRUPT = {
    "train": "the same command goes on from the last checkpoint, if there is one",
    "score": "nothing was written but files that are complete; run it again",
    "explain": "run it again",
    "evaluate": "nothing was written; run it again",
    "report": "nothing was written; run it again",
    "reproduce": "the same command goes on from the last checkpoint, if there is one",
    "benchmark": "the same command goes on with the runs that are missing",
    "export": "nothing was written; run it again",
    "verify-export": "nothing was changed; run it again",
    "serve": "the server has stopped",
    "stream": "what was scored has been written",
    "download": "the same command goes on where it stopped",
    "completion": "nothing was changed; run it again",
}


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

            getattr(commands, parsed.command.replace("-", "_"))(parsed)
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
    parser = _Program(prog="tsad-keras", allow_abbrev=False)
    version = f"tsad_keras {__version__}"
    parser.add_argument("--version", action="version", version=version, help="show the version")
    commands = parser.add_subparsers(
        dest="command", required=True, metavar="COMMAND", parser_class=_Parser
    )
    for name, text, add_arguments in (
        ("train", "train on normal history and save the model", flags.add_train),
        ("score", "score a file of any length with a trained model", flags.add_score),
        ("explain", "say why a row is an alarm: features, attention, SHAP", flags.add_explain),
        ("evaluate", "judge scores against labels (starts without TensorFlow)", flags.add_evaluate),
        ("report", "score a file and write one page to look at", flags.add_report),
        ("reproduce", "train, score, compare with baselines, report", flags.add_reproduce),
        ("benchmark", "compare methods on datasets, over seeds", flags.add_benchmark),
        (
            "export",
            "write a trained model as a SavedModel for TensorFlow Serving",
            flags.add_export,
        ),
        ("verify-export", "check an exported SavedModel without Keras", flags.add_verify_export),
        ("serve", "answer TensorFlow Serving's REST requests with an export", flags.add_serve),
        ("stream", "score rows from standard input as they come", flags.add_stream),
        ("download", "fetch a published dataset and check its hashes", flags.add_download),
        ("completion", "print a script that completes commands and flags", flags.add_completion),
    ):
        command = commands.add_parser(
            name, help=text, description=text, allow_abbrev=False, formatter_class=layout.Formatter
        )
        add_arguments(command)
        command.add_argument(
            "--quiet", action="store_true", help="no progress bars, only warnings and the result"
        )
        command.set_defaults(parser=command, program=parser)
        layout.add_page(command, name)
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


class _Program(_Parser):
    """The parser above the commands."""

    def format_help(self) -> str:
        return layout.overview(self)


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
