"""Training curves as small drawings inside a page."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape

from tsad_keras.reporting.tables import significant

_WIDTH, _HEIGHT = 300, 150
_LEFT, _RIGHT, _TOP, _BOTTOM = 46, 10, 10, 22

CURVES = {
    "Reconstruction": (
        ("reconstruction_loss", "train", "first"),
        ("val_reconstruction_loss", "validation", "second"),
    ),
    "Contrastive": (("contrastive_loss", "train", "first"),),
    "Adversarial": (("adversarial_loss", "train", "first"),),
    "Discriminator": (("discriminator_loss", "train", "first"),),
}


def training_curves(history: Sequence[dict[str, float]], best_epoch: int) -> str:
    """Losses by epoch, the epoch whose weights were kept marked in each panel.

    Args:
        history: One dict an epoch, as `detector.history_`.
        best_epoch: Counted from 1.

    Returns:
        HTML of one figure a loss; a sentence if there is no history.
    """
    if not history:
        return "<p>The losses of the training are not known.</p>"
    panels = [_panel(title, lines, history, best_epoch) for title, lines in CURVES.items()]
    return f'<div class="curves">{"".join(panels)}</div>'


def _panel(title: str, lines: tuple, history: Sequence[dict[str, float]], best_epoch: int) -> str:
    known = [
        [(row["epoch"], row[key]) for row in history if _is_number(row.get(key))]
        for key, _, _ in lines
    ]
    values = [value for points in known for _, value in points]
    legend = "".join(
        f'<span class="{kind}">{escape(name)}</span>' for _, name, kind in lines if len(lines) > 1
    )
    heading = f"<figcaption>{escape(title)}{legend}</figcaption>"
    if not values or not any(values):
        return f"<figure>{heading}<p>switched off (weight 0)</p></figure>"
    epochs = (history[0]["epoch"], max(history[-1]["epoch"], history[0]["epoch"] + 1))
    room = 0.08 * (max(values) - min(values)) or 0.1 * abs(max(values))
    place = _Place(epochs, (min(values) - room, max(values) + room))
    drawn = [_line(points, kind, place) for (_, _, kind), points in zip(lines, known, strict=True)]
    ends = ", ".join(
        f"{name} from {significant(points[0][1])} to {significant(points[-1][1])}"
        for (_, name, _), points in zip(lines, known, strict=True)
        if points
    )
    label = f"{title} loss over {len(history)} epochs: {ends}; best epoch {best_epoch}"
    return (
        f'<figure>{heading}<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" '
        f'aria-label="{escape(label)}">{_axes(place, best_epoch)}{"".join(drawn)}</svg></figure>'
    )


class _Place:
    """Pixels of an epoch and of a value."""

    def __init__(self, epochs: tuple[float, float], values: tuple[float, float]) -> None:
        self.epochs, self.values = epochs, values

    def x(self, epoch: float) -> float:
        first, last = self.epochs
        return _LEFT + (_WIDTH - _LEFT - _RIGHT) * (epoch - first) / (last - first)

    def y(self, value: float) -> float:
        low, high = self.values
        return _TOP + (_HEIGHT - _TOP - _BOTTOM) * (high - value) / (high - low)


def _axes(place: _Place, best_epoch: int) -> str:
    low, high = place.values
    parts = []
    for share in (0.1, 0.5, 0.9):
        value = low + share * (high - low)
        y = place.y(value)
        parts.append(f'<path class="grid" d="M{_LEFT} {y:.1f}H{_WIDTH - _RIGHT}"/>')
        text = escape(significant(value, 3))
        parts.append(f'<text x="{_LEFT - 5}" y="{y + 3.5:.1f}" class="end">{text}</text>')
    x = place.x(best_epoch)
    bottom = _HEIGHT - _BOTTOM
    parts.append(f'<path class="best" d="M{x:.1f} {_TOP}V{bottom}"/>')
    for epoch in dict.fromkeys((place.epochs[0], best_epoch, place.epochs[1])):
        name = f"best: {epoch:g}" if epoch == best_epoch else f"{epoch:g}"
        near = [abs(place.x(epoch) - x) < 40, epoch != best_epoch]
        if not all(near):
            end = ' class="end"' if place.x(epoch) > _WIDTH - 50 else ' class="middle"'
            parts.append(f'<text x="{place.x(epoch):.1f}" y="{_HEIGHT - 6}"{end}>{name}</text>')
    return "".join(parts)


def _line(points: list[tuple[float, float]], kind: str, place: _Place) -> str:
    places = " ".join(f"{place.x(epoch):.1f},{place.y(value):.1f}" for epoch, value in points)
    dots = "".join(
        f'<circle cx="{place.x(epoch):.1f}" cy="{place.y(value):.1f}" r="2.5"><title>epoch '
        f"{epoch:g}: {significant(value)}</title></circle>"
        for epoch, value in (points if len(points) <= 60 else points[-1:])
    )
    return f'<g class="{kind}"><polyline points="{places}"/>{dots}</g>'


def _is_number(value: float | None) -> bool:
    return value is not None and math.isfinite(value)
