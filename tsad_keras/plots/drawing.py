"""What several figures share: colours, saving, rules for axes."""

from __future__ import annotations

import os

import numpy as np
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, StrMethodFormatter

from tsad_keras.files import atomic_write

BLUE, ORANGE, RED, GREY, GREEN = "#2b6cb0", "#dd6b20", "#c53030", "#4a5568", "#2f855a"
_DPI = 120


def save_figure(figure: Figure, path: str | os.PathLike[str]) -> None:
    """Writes a PNG file, whole or not at all.

    Raises:
        InputError: If the folder cannot be written to or the disk is full.
    """
    with atomic_write(path, "wb") as file:
        figure.savefig(file, format="png", dpi=_DPI)


def spans_decades(values: np.ndarray, threshold: float = np.inf) -> bool:
    """Whether non-negative values need a logarithmic axis.

    They do if the largest is 30 times the median or the threshold: on a linear axis, that one would
    lie on the bottom line.
    """
    if values.min() < 0 or values.max() <= 0:
        return False
    return bool(values.max() > 30 * max(min(float(np.median(values)), threshold), 0.0))


def count_in_whole_numbers(axis: Axis) -> None:
    """Ticks at whole numbers only, with thousands separators."""
    axis.set_major_locator(MaxNLocator(integer=True))
    axis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))


def shortened(text: str, most: int) -> str:
    """Cuts a long name and marks the cut."""
    return text if len(text) <= most else text[: most - 1] + "…"
