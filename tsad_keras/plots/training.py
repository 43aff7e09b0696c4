"""The figure of a training."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.figure import Figure

from tsad_keras.plots.drawing import BLUE, GREY, ORANGE, count_in_whole_numbers


def plot_training_curves(history: Sequence[dict[str, float]], best_epoch: int) -> Figure:
    """Losses by epoch, the epoch whose weights were kept marked in each panel.

    Args:
        history: One dict an epoch, as `detector.history_`.
        best_epoch: Counted from 1.

    Returns:
        Four panels: reconstruction (train and validation), contrastive, adversarial, discriminator.
    """
    figure = Figure(figsize=(10, 6), layout="constrained")
    panels = figure.subplots(2, 2, sharex=True)
    epochs = [row["epoch"] for row in history]
    curves = {
        "reconstruction": (
            ("reconstruction_loss", "train"),
            ("val_reconstruction_loss", "validation"),
        ),
        "contrastive": (("contrastive_loss", "train"),),
        "adversarial": (("adversarial_loss", "train"),),
        "discriminator": (("discriminator_loss", "train"),),
    }
    for axes, (title, lines) in zip(panels.flat, curves.items(), strict=True):
        axes.set_title(f"{title} loss", loc="left")
        for (key, label), color in zip(lines, (BLUE, ORANGE), strict=False):
            values = [row[key] for row in history]
            axes.plot(epochs, values, color=color, marker="o", markersize=3, label=label)
        axes.axvline(best_epoch, color=GREY, linestyle=":", label=f"best epoch ({best_epoch})")
        count_in_whole_numbers(axes.xaxis)
        axes.set_xlim(epochs[0] - 0.5, epochs[-1] + 0.5)
        axes.grid(alpha=0.3)
        if all(row[key] == 0 for key, _ in lines for row in history):
            axes.text(0.5, 0.6, "switched off (weight 0)", transform=axes.transAxes, ha="center")
            axes.set_ylim(-0.05, 1)
        if len(lines) > 1:  # it explains the line of the best epoch for all panels
            axes.legend(fontsize=8)
    for axes in panels[1]:
        axes.set_xlabel("epoch")
    for axes in panels[:, 0]:
        axes.set_ylabel("mean loss per batch")
    return figure
