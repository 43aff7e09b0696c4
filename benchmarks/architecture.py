"""Draws the architecture with shapes and parameter counts into `docs/architecture.png`.

    python benchmarks/architecture.py [--output docs/architecture.png]

Every shape, count, weight and rate is read from the default `Config` and from the networks that it
builds for the synthetic set's 38 features; the figure changes when they do. Run it again after a
change of a default.
"""

from __future__ import annotations

import argparse
import dataclasses
import io
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch
from matplotlib.text import Text
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from tsad_keras.config import PRESETS, Config
from tsad_keras.files import atomic_write

NUM_FEATURES = 38  # of the synthetic set
WIDTH, HEIGHT = 120, 103  # drawing units, ten an inch
INK, FAINT = "#1a202c", "#4a5568"
# light fill and strong edge of each side
DATA = ("#f7fafc", "#718096")
GENERATOR = ("#ebf4ff", "#2b6cb0")
DISCRIMINATOR = ("#fffaf0", "#c05621")
SCORING = ("#f0fff4", "#2f855a")
TITLE_SIZE, TEXT_SIZE = 10.5, 9.5


@dataclasses.dataclass(frozen=True)
class Box:
    """A rectangle with a bold first line; `x, y` is its lower left corner."""

    x: float
    y: float
    width: float
    height: float
    title: str
    lines: tuple[str, ...]
    colours: tuple[str, str]

    def at(self, right: float, up: float) -> tuple[float, float]:
        """Returns a point by its shares of width and height, `at(1, 0.5)` = middle of the right."""
        return self.x + right * self.width, self.y + up * self.height


def main(arguments: Sequence[str] | None = None) -> int:
    """Writes the figure and prints its path."""
    parser = argparse.ArgumentParser(description="figure of the architecture")
    default = Path(__file__).resolve().parents[1] / "docs" / "architecture.png"
    parser.add_argument("--output", type=Path, default=default)
    path = parser.parse_args(arguments).output
    figure, boxes = draw(Config())
    drawn = io.BytesIO()
    figure.savefig(drawn, format="png", dpi=150)
    metadata = PngInfo()
    metadata.add_itxt("words", words(boxes))
    # There are few colours: a palette makes the file a third of the size.
    image = Image.open(drawn).convert("RGB").quantize(64, dither=Image.Dither.NONE)
    with atomic_write(path, "wb") as file:
        image.save(file, format="PNG", optimize=True, pnginfo=metadata)
    print(f"{path}: {path.stat().st_size / 1000:.0f} kB")
    return 0


def words(boxes: Sequence[tuple[Box, Sequence[Text]]]) -> str:
    """Returns all that stands in the boxes; the file carries it, so that a test can compare."""
    return "\n".join(text.get_text() for _, texts in boxes for text in texts)


def read_facts(config: Config) -> dict[str, Any]:
    """Builds the networks and reads the shapes after, and the parameters of, their parts."""
    from tsad_keras.detector.networks import build_networks

    networks = build_networks(config, NUM_FEATURES)
    autoencoder, discriminator = networks.autoencoder, networks.discriminator
    blocks = [f"encoder_block_{index}" for index in range(config.num_layers)]
    squeezed = ["bottleneck", "unfold"] if config.bottleneck_dim else []
    parts = {
        "input": (autoencoder, ["windows"]),
        "embedding": (autoencoder, ["patch_embedding", "positional_encoding"]),
        "encoder": (autoencoder, [*blocks, "encoder_norm"]),
        "decoder": (autoencoder, [*squeezed, "decoder"]),
        "reconstruction": (autoencoder, ["reconstruction"]),
        "patches": (discriminator, ["patch_embedding"]),
        "pooled": (discriminator, ["pooled"]),
        "features": (discriminator, ["features", "features_activation"]),
        "logits": (discriminator, ["logits"]),
        "projection": (networks.projection_head, ["hidden", "projection"]),
    }
    facts = {}
    for name, (model, layer_names) in parts.items():
        layers = [model.get_layer(layer_name) for layer_name in layer_names]
        facts[name] = {
            "shape": tuple(layers[-1].output.shape[1:]),
            "count": sum(layer.count_params() for layer in layers),
        }
    for name in ("autoencoder", "discriminator", "projection_head"):
        facts[name] = {"count": getattr(networks, name).count_params()}
    return facts


def draw(config: Config) -> tuple[Figure, list[tuple[Box, list[Text]]]]:
    """Draws the figure.

    Args:
        config: Settings; its preset-dependent words fit the default design.

    Returns:
        The figure, and every box with the texts inside.
    """
    matplotlib.rcParams["font.family"] = "DejaVu Sans"
    figure = Figure(figsize=(WIDTH / 10, HEIGHT / 10), facecolor="white")
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, WIDTH), ylim=(0, HEIGHT))
    axes.axis("off")
    facts = read_facts(config)
    _draw_lanes(axes, config, facts)
    boxes = {
        **_generator_boxes(config, facts),
        **_discriminator_boxes(config, facts),
        **_loss_boxes(config),
        **_scoring_boxes(config),
    }
    drawn = [(box, _draw_box(axes, box)) for box in boxes.values()]
    _draw_training_arrows(axes, boxes)
    names = [name for name in boxes if name.startswith("score_")]
    for left, right in zip(names, names[1:], strict=False):
        _arrow(axes, SCORING[1], boxes[left].at(1, 0.5), boxes[right].at(0, 0.5))
    return figure, drawn


def _shape(batch: str, shape: tuple[int, ...]) -> str:
    return f"({', '.join([batch, *map(str, shape)])})"


def _count(fact: dict[str, Any]) -> str:
    return f"{fact['count']:,} parameters"


def _draw_lanes(axes: Axes, config: Config, facts: dict[str, Any]) -> None:
    total = sum(facts[n]["count"] for n in ("autoencoder", "discriminator", "projection_head"))
    axes.text(
        2, 99.5, "Contrastive-GAN Transformer", fontsize=15, weight="bold", color=INK, va="center"
    )
    axes.text(
        118,
        99.5,
        f"default settings, {NUM_FEATURES} features, B = {config.batch_size} windows a step; "
        f"{total:,} parameters",
        fontsize=10.5,
        color=FAINT,
        ha="right",
        va="center",
    )
    generator = f"Generator = Transformer autoencoder, {_count(facts['autoencoder'])}"
    discriminator = f"Discriminator, {_count(facts['discriminator'])}"
    lanes = (
        (40.3, 77, 79.2, 19, GENERATOR, 41.3, generator),
        (0.5, 51, 83.5, 17, DISCRIMINATOR, 23, discriminator),  # arrows enter on the left
        (0.5, 3.5, 119, 16.5, SCORING, 1.7, "Scoring: no mask, no discriminator, no label"),
    )
    for x, y, width, height, (fill, edge), left, title in lanes:
        _rectangle(axes, x, y, width, height, fill, edge, linestyle=(0, (4, 3)), linewidth=1)
        top = y + height - 1.9
        axes.text(left, top, title, fontsize=11, weight="bold", color=edge, va="center")
    hybrid = PRESETS["hybrid"]
    axes.text(
        60,
        1.6,
        f"Preset hybrid instead: fakes from a latent generator (z of {hybrid['latent_dim']} "
        "values), NT-Xent on the encoder's embedding, score = error + (1 − D).",
        fontsize=9.5,
        color=FAINT,
        ha="center",
        va="center",
    )


def _generator_boxes(config: Config, facts: dict[str, Any]) -> dict[str, Box]:
    y, height = 78.5, 13.5
    window = facts["input"]["shape"]
    blocks = f"{config.num_layers} block{'s' if config.num_layers > 1 else ''}"
    rows = (
        ("windows", 1, DATA, "Windows", "of the training\nseries, scaled\n" + _shape("B", window)),
        (
            "masks",
            20.8,
            DATA,
            f"{config.mask_type.capitalize()} masks",
            f"two views, each {config.masking_ratio:.0%}\nhidden in runs of\n"
            f"mean length {config.mean_mask_length:g}\n2 × {_shape('B', window)}",
        ),
        (
            "embedding",
            41.5,
            GENERATOR,
            "Patch embedding",
            f"{config.patch_size} steps a token,\n+ positional encoding\n"
            f"{_shape('2B', facts['embedding']['shape'])}\n{_count(facts['embedding'])}",
        ),
        (
            "encoder",
            61.5,
            GENERATOR,
            "Encoder",
            f"{blocks}, {config.num_heads} heads,\n{config.intermediate_dim} inside\n"
            f"{_shape('2B', facts['encoder']['shape'])}\n{_count(facts['encoder'])}",
        ),
        (
            "decoder",
            81.5,
            GENERATOR,
            "Decoder",
            (f"from {config.bottleneck_dim} values,\n" if config.bottleneck_dim else "")
            + f"dense, each token\n{_shape('2B', facts['decoder']['shape'])}\n"
            f"{_count(facts['decoder'])}",
        ),
        (
            "reconstruction",
            101.5,
            GENERATOR,
            "Reconstruction",
            f"of both views\n{_shape('2B', facts['reconstruction']['shape'])}",
        ),
    )
    return {
        name: Box(x, y, 17.3, height, title, tuple(text.split("\n")), colours)
        for name, x, colours, title, text in rows
    }


def _discriminator_boxes(config: Config, facts: dict[str, Any]) -> dict[str, Box]:
    rows = (
        ("patches", 2, "Patch layers", f"{config.patch_size} steps a patch"),
        ("pooled", 23, "Pooling", "mean and maximum"),
        ("features", 44, "Features", "of the whole window"),
        ("logits", 65, "Real or fake?", "logit of D(x)"),
    )
    boxes = {}
    for name, x, title, text in rows:
        lines = [text, _shape("·", facts[name]["shape"])]
        if facts[name]["count"]:
            lines.append(_count(facts[name]))
        boxes[name] = Box(x, 52.5, 17.5, 11.5, title, tuple(lines), DISCRIMINATOR)
    boxes["projection"] = Box(
        44,
        37,
        17.5,
        10.5,
        "Projection head",
        (
            "two dense layers",
            _shape("2B", facts["projection"]["shape"]),
            _count(facts["projection_head"]),
        ),
        DISCRIMINATOR,
    )
    return boxes


def _loss_boxes(config: Config) -> dict[str, Box]:
    y, height = 37, 10.5
    return {
        "contrastive": Box(
            23,
            y,
            17.5,
            height,
            "NT-Xent loss",
            ("view a with view b,", f"temperature {config.temperature:g}"),
            DISCRIMINATOR,
        ),
        "discriminator_loss": Box(
            65,
            y,
            17.5,
            height,
            "Discriminator loss",
            ("−log D(x)", "−log (1 − D(fake))"),
            DISCRIMINATOR,
        ),
        "adversarial": Box(84.6, y, 14.4, height, "Adversarial loss", ("−log D(fake)",), GENERATOR),
        "reconstruction_loss": Box(
            100.3,
            y,
            18.5,
            height,
            "Reconstruction loss",
            ("squared error to", "the unmasked window"),
            GENERATOR,
        ),
        "discriminator_update": Box(
            23,
            23.5,
            59.5,
            8.5,
            "Discriminator's AdamW",
            (
                f"discriminator loss + {config.contrastive_weight:g} × NT-Xent, "
                f"rate {config.discriminator_learning_rate:g}",
                "trains discriminator and projection head",
            ),
            DISCRIMINATOR,
        ),
        "generator_update": Box(
            84.6,
            23.5,
            34.2,
            8.5,
            "Generator's AdamW",
            (
                f"{config.reconstruction_weight:g} × reconstruction + "
                f"{config.adversarial_weight:g} × adversarial,",
                f"rate {config.learning_rate:g}; trains the autoencoder",
            ),
            GENERATOR,
        ),
    }


def _scoring_boxes(config: Config) -> dict[str, Box]:
    rate = f"{config.false_alarm_rate:.1%}"
    rule = config.threshold_method
    rule = rule.upper() if rule == "pot" else rule
    rows = (
        (
            "Windows",
            f"of scaled series,\na start every\n{config.score_stride} steps\n"
            + _shape("T", (NUM_FEATURES,)),
        ),
        (
            "Autoencoder",
            f"squared errors ÷\nwhat is typical,\nsmoothed ({config.smoothing_span})\n"
            + _shape("T", (NUM_FEATURES,)),
        ),
        (
            "Forecast",
            f"of each feature,\nits last {config.forecast_order} rows;\n"
            f"errors likewise\n" + _shape("T", (NUM_FEATURES,)),
        ),
        ("Shift", "squared mean of\na window ÷\nthat on train\n" + _shape("T", (NUM_FEATURES,))),
        (
            "Memory",
            f"{config.memory_size} patterns\nand levels:\n"
            f"distance to the\n{config.num_neighbours} nearest",
        ),
        ("Bursts", f"of the raw error\nabove its last\n{config.burst_span} steps"),
        ("Score", "sum of the\nviews' logs,\nstandardised:\n(T)"),
        ("Threshold", f"{rule} on\nvalidation, {rate}\nexpected:\nalarms (T)"),
    )
    pitch = 118 / len(rows)
    return {
        f"score_{index}": Box(
            1.7 + index * pitch, 4.7, pitch - 2.4, 11, title, tuple(text.split("\n")), SCORING
        )
        for index, (title, text) in enumerate(rows)
    }


def _draw_training_arrows(axes: Axes, boxes: dict[str, Box]) -> None:
    blue, orange, grey = GENERATOR[1], DISCRIMINATOR[1], DATA[1]
    chain = ("windows", "masks", "embedding", "encoder", "decoder", "reconstruction")
    for left, right in zip(chain, chain[1:], strict=False):
        colour = grey if left in ("windows", "masks") else blue
        _arrow(axes, colour, boxes[left].at(1, 0.5), boxes[right].at(0, 0.5))
    chain = ("patches", "pooled", "features", "logits")
    for left, right in zip(chain, chain[1:], strict=False):
        _arrow(axes, orange, boxes[left].at(1, 0.5), boxes[right].at(0, 0.5))

    # what the discriminator sees: real windows, both views, reconstructions
    patches, masks = boxes["patches"], boxes["masks"]
    top = patches.at(0, 1)[1]
    real, view, fake = 5.0, 9.5, 14.0
    _arrow(axes, grey, (real, boxes["windows"].y), (real, top))
    middle = masks.at(0.5, 0)
    _arrow(axes, grey, middle, (middle[0], 73.5), (view, 73.5), (view, top))
    start = boxes["reconstruction"].at(0.3, 0)
    _arrow(axes, blue, start, (start[0], 70.5), (fake, 70.5), (fake, top))
    _label(axes, real - 0.7, 75.3, "real", grey, ha="right")
    _label(axes, 19, 74.7, "views, for features", grey, ha="center")
    _label(axes, 70, 71.8, "reconstructions = fakes", blue, ha="center")

    # losses
    _arrow(axes, orange, boxes["features"].at(0.5, 0), boxes["projection"].at(0.5, 1))
    _arrow(axes, orange, boxes["projection"].at(0, 0.5), boxes["contrastive"].at(1, 0.5))
    logits, adversarial = boxes["logits"], boxes["adversarial"]
    _arrow(axes, orange, logits.at(0.5, 0), boxes["discriminator_loss"].at(0.5, 1))
    corner = (adversarial.at(0.5, 1)[0], logits.at(1, 0.5)[1])
    _arrow(axes, blue, logits.at(1, 0.5), corner, adversarial.at(0.5, 1))
    end = boxes["reconstruction_loss"].at(0.6, 1)
    _arrow(axes, blue, (end[0], boxes["reconstruction"].y), end)
    for loss, update in (
        ("contrastive", "discriminator_update"),
        ("discriminator_loss", "discriminator_update"),
        ("adversarial", "generator_update"),
        ("reconstruction_loss", "generator_update"),
    ):
        foot = boxes[loss].at(0.5, 0)
        colour = boxes[loss].colours[1]
        _arrow(axes, colour, foot, (foot[0], boxes[update].at(0, 1)[1]))


def _rectangle(
    axes: Axes, x: float, y: float, width: float, height: float, fill: str, edge: str, **style: Any
) -> None:
    axes.add_patch(
        FancyBboxPatch(
            (x, y),
            width,
            height,
            boxstyle="round,pad=0,rounding_size=0.8",
            facecolor=fill,
            edgecolor=edge,
            **style,
        )
    )


def _draw_box(axes: Axes, box: Box) -> list[Text]:
    _rectangle(axes, box.x, box.y, box.width, box.height, "white", box.colours[1], linewidth=1.4)
    step = 2.05
    x, middle = box.at(0.5, 0.5)
    first = middle + step * len(box.lines) / 2
    centred = {"ha": "center", "va": "center"}
    title = axes.text(x, first, box.title, fontsize=TITLE_SIZE, weight="bold", color=INK, **centred)
    lines = [
        axes.text(x, first - 0.2 - step * index, line, fontsize=TEXT_SIZE, color=FAINT, **centred)
        for index, line in enumerate(box.lines, start=1)
    ]
    return [title, *lines]


def _arrow(axes: Axes, colour: str, *points: tuple[float, float]) -> None:
    """Draws a line through the points with a head at the last."""
    if len(points) > 2:
        axes.plot(*zip(*points[:-1], strict=True), color=colour, linewidth=1.4)
    axes.annotate(
        "",
        xy=points[-1],
        xytext=points[-2],
        arrowprops={
            "arrowstyle": "-|>",
            "color": colour,
            "linewidth": 1.4,
            "shrinkA": 0,
            "shrinkB": 0,
            "mutation_scale": 11,
        },
    )


def _label(axes: Axes, x: float, y: float, text: str, colour: str, ha: str) -> None:
    axes.text(x, y, text, fontsize=TEXT_SIZE, color=colour, ha=ha, va="center", style="italic")


if __name__ == "__main__":
    sys.exit(main())
