"""The figure of an attention map."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from tsad_keras.errors import InputError
from tsad_keras.plots.drawing import RED, count_in_whole_numbers


def plot_attention(
    maps: np.ndarray,
    first_row: int = 0,
    num_rows: int | None = None,
    *,
    layer: int | None = None,
    head: int | None = None,
    marked_row: int | None = None,
) -> Figure:
    """One attention map: which time steps a window's time steps look at.

    Args:
        maps: `(num_layers, num_heads, num_tokens, num_tokens)`, as `detector.attention` returns.
        first_row: Row of the series with which the window begins.
        num_rows: Time steps in the window; default one for each token.
        layer: Number of the layer, from 0; None = the mean over layers.
        head: Number of the head, from 0; None = the mean over heads.
        marked_row: A row of the series that is marked on both axes, such as that of an alarm.

    Raises:
        InputError: If there is no such layer or head, or `maps` has another shape.
    """
    maps = np.asarray(maps)
    if maps.ndim != 4 or maps.shape[2] != maps.shape[3] or not maps.size:
        raise InputError(
            f"maps have shape {maps.shape}, expected (num_layers, num_heads, num_tokens, "
            "num_tokens); pass what detector.attention returns"
        )
    chosen, names = maps, []
    for axis, (name, index) in enumerate((("layer", layer), ("head", head))):
        count = maps.shape[axis]
        if index is not None and not 0 <= index < count:
            raise InputError(
                f"{name} is {index}, expected 0 to {count - 1}, or None for the mean; choose one "
                "of these"
            )
        chosen = chosen if index is None else chosen.take([index], axis=axis)
        mean = f"mean of {count} {name}s" if count > 1 else f"the only {name}"
        names.append(mean if index is None else f"{name} {index}")
    grid = chosen.mean(axis=(0, 1))
    last = first_row + (len(grid) if num_rows is None else num_rows)
    edges = (first_row - 0.5, last - 0.5)
    figure = Figure(figsize=(6.4, 5.4), layout="constrained")
    axes = figure.subplots()
    image = axes.imshow(
        grid, cmap="viridis", extent=(*edges, *edges[::-1]), interpolation="nearest"
    )
    if marked_row is not None:
        for draw in (axes.axvline, axes.axhline):
            draw(marked_row, color=RED, linestyle="--", linewidth=1)
    for axis in (axes.xaxis, axes.yaxis):
        count_in_whole_numbers(axis)
    axes.set_xlabel("row that is looked at")
    axes.set_ylabel("row that looks")
    axes.set_title("Attention, " + ", ".join(names), loc="left", fontsize=10)
    figure.colorbar(image, ax=axes, label=f"weight (each row of {len(grid)} tokens sums to 1)")
    return figure
