"""Section and reason of every setting, as they stand beside it in the source of `Config`."""

from __future__ import annotations

import functools
import inspect
import re
from typing import NamedTuple

from tsad_keras.config import Config

_SECTION = re.compile(r"# --- (.+?) -+$")
_FIELD = re.compile(r"(\w+): .*?=")


class Note(NamedTuple):
    """What the source says about a setting.

    Attributes:
        section: The heading that it stands under.
        reason: What it is and why the default is as it is; "" if nothing is said.
    """

    section: str
    reason: str


@functools.lru_cache(maxsize=1)
def setting_notes() -> dict[str, Note]:
    """Reads the notes of all settings off `Config`, where they are written once.

    Returns:
        Notes by field; empty where Python has the compiled file only.

    Example:
        >>> setting_notes()["batch_size"].section
        'training'
    """
    try:
        lines = inspect.getsource(Config).splitlines()
    except OSError:
        return {}
    return _notes(lines)


def _notes(lines: list[str]) -> dict[str, Note]:
    found: dict[str, Note] = {}
    section, name, above = "", "", []  # above: comment lines that wait for their field
    for line in lines:
        text = line.strip()
        heading, field = _SECTION.match(text), _FIELD.match(text)
        if heading:
            section, name, above = heading[1], "", []
        elif not text:
            name, above = "", []
        elif text.startswith("def "):  # the fields are over
            section = ""
        elif not section:
            continue
        elif text.startswith("# "):
            above.append(text[2:])
        elif field:
            name = field[1]
            found[name] = Note(section, " ".join([*above, *_comment(line)]))
            above = []
        elif name:  # a default that goes over several lines
            words = [found[name].reason, *_comment(line)]
            found[name] = Note(section, " ".join(filter(None, words)))
    return found


def _comment(line: str) -> list[str]:
    return [comment.strip() for comment in line.split("  # ")[1:]]
