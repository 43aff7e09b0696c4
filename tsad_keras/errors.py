"""The one exception that means "the input is at fault, not the program"."""

from __future__ import annotations


class InputError(ValueError):
    """Raised for anything a user can mend: files, columns, shapes, flags, folders.

    The message is one line that says what came, what was expected and how to mend it. The command
    line prints it and exits with code 2; every other exception is a defect and keeps its traceback.

    Example:
        >>> raise InputError("--epochs is 0, expected at least 1; pass a larger number")
        Traceback (most recent call last):
        ...
        tsad_keras.errors.InputError: --epochs is 0, expected at least 1; pass a larger number
    """
