"""How help is laid out: commands in groups, a usage of one line, examples at the end."""

from __future__ import annotations

import argparse
import shutil
import textwrap

from tsad_keras.guide.pages import CLOSING, FIRST_USE, GROUPS, INTRODUCTION, PAGES

_WIDEST = 100  # longer lines are hard to read


class Formatter(argparse.HelpFormatter):
    """Wraps paragraphs, and leaves lines that are indented as they are."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, max_help_position=32, width=_width())

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        return "\n\n".join(_block(part, width) for part in text.split("\n\n"))


def overview(parser: argparse.ArgumentParser) -> str:
    """The help of the program: first use, then what each command is for."""
    summaries = _summaries(parser)
    width = _width()
    parts = [f"usage: {parser.prog} COMMAND ...", INTRODUCTION, FIRST_USE]
    grouped = {name for names in GROUPS.values() for name in names}
    others = tuple(name for name in summaries if name not in grouped)
    for heading, names in {**GROUPS, "other": others}.items():
        lines = [f"  {name:<15}{summaries[name]}" for name in names if name in summaries]
        if lines:
            parts.append("\n".join([f"{heading}:", *lines]))
    parts.append("options:\n  -h, --help     show this\n  --version      show the version")
    paragraphs = "\n\n".join([*parts, CLOSING]).split("\n\n")
    return "\n\n".join(_block(paragraph, width) for paragraph in paragraphs) + "\n"


def add_page(parser: argparse.ArgumentParser, name: str) -> None:
    """Gives the parser of a command, whose flags it has by now, its page and a short usage."""
    parser.usage = _short_usage(parser)
    page = PAGES.get(name)
    if page is not None:
        parser.description = page.text
        parser.epilog = "\n".join(["examples:", *(f"  {example}" for example in page.examples)])


def _summaries(parser: argparse.ArgumentParser) -> dict[str, str]:
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            return {choice.dest: choice.help or "" for choice in action._choices_actions}
    return {}


def _short_usage(parser: argparse.ArgumentParser) -> str:
    """What must be given; the rest is in the lists below."""
    words, grouped = [], set()
    for group in parser._mutually_exclusive_groups:
        grouped.update(map(id, group._group_actions))
        if group.required:
            words.append("(" + " | ".join(_words(action) for action in group._group_actions) + ")")
    for action in parser._actions:
        if action.required and id(action) not in grouped:
            words.append(_words(action))
    return " ".join([parser.prog, *words, "[options]"]).replace("%", "%%")


def _words(action: argparse.Action) -> str:
    value = action.metavar or (
        "{" + ",".join(map(str, action.choices)) + "}" if action.choices else action.dest.upper()
    )
    value += " ..." if action.nargs == "+" else ""
    return f"{action.option_strings[-1]} {value}" if action.option_strings else str(value)


def _block(text: str, width: int) -> str:
    """One paragraph: wrapped, or as it is if a line of it is indented."""
    if any(line.startswith("  ") for line in text.splitlines()):
        return text
    return textwrap.fill(" ".join(text.split()), width)


def _width() -> int:
    return max(40, min(_WIDEST, shutil.get_terminal_size().columns - 2))
