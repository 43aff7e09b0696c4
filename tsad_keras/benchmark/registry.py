"""What the benchmark compares: models that are fitted, and methods that are ways to score them.

A model is fitted once for all of its methods: score modes and calibration are choices made after
the training, and so is the smoothing (`posts`).
"""

from __future__ import annotations

import dataclasses
import difflib
import functools
from collections.abc import Sequence
from typing import Any

from tsad_keras import baselines
from tsad_keras.baselines import Baseline, shared_settings
from tsad_keras.config import Config
from tsad_keras.errors import InputError

FAMILIES = ("floor", "simple", "neural", "ours", "ablation")
DEFAULT = "contrastive-gan"  # the method that the others are compared with

# Settings of a neural baseline that it has in common with the detector.
_NEURAL = ("score_stride", "score_batch_size")
_TRANSFORMER = ("patch_size", "hidden_dim", "num_heads", "intermediate_dim", "num_layers")


@dataclasses.dataclass(frozen=True)
class Model:
    """Something that is fitted.

    Attributes:
        name: Its name, that of the first of its methods.
        baseline: Its class; None for a detector.
        preset: The detector's preset.
        settings: Of the detector: fields of `Config`; of a baseline: arguments of its class.
        shared: Fields of `Config` that a baseline takes over besides the `shared_settings`.
    """

    name: str
    baseline: type[Baseline] | None = None
    preset: str = DEFAULT
    settings: dict[str, Any] = dataclasses.field(default_factory=dict)
    shared: tuple[str, ...] = ()

    @property
    def is_random(self) -> bool:
        """Whether another seed gives other scores; if not, one run is enough."""
        return self.baseline is None or self.baseline.is_random

    def make_config(self, overrides: dict[str, Any], seed: int) -> Config:
        """The settings of a detector, and those that a baseline takes over from it.

        Args:
            overrides: Fields of `Config` for all models; those of this model go before them.
            seed: Of the run.
        """
        own = self.settings if self.baseline is None else {}
        config = Config.from_preset(self.preset, **{**overrides, **own, "seed": seed})
        common = Config.from_preset(**overrides)
        return dataclasses.replace(  # one rule for the decisions of every method
            config,
            threshold_method=common.threshold_method,
            false_alarm_rate=common.false_alarm_rate,
            max_alarm_rate=common.max_alarm_rate,
        )

    def make_baseline(self, config: Config) -> Baseline:
        """A baseline, not fitted yet and without smoothing."""
        arguments = {**shared_settings(config), "smoothing_span": 1}
        arguments |= {name: getattr(config, name) for name in self.shared}
        if self.is_random:
            arguments["seed"] = config.seed
        return self.baseline(**{**arguments, **self.settings})


@dataclasses.dataclass(frozen=True)
class Method:
    """A way to score a model.

    Attributes:
        name: On the command line and in `results.csv`.
        family: One of `FAMILIES`.
        label: In tables and figures.
        model: Name of its `Model`.
        options: What goes into the combination of outputs to scores: `calibrate`, `score_mode`,
            and of the fused score `burst_span, has_reconstruction, has_forecast, has_shift,
            has_memory, has_smoothing`.
    """

    name: str
    family: str
    label: str
    model: str
    options: dict[str, Any] = dataclasses.field(default_factory=dict)

    @property
    def is_fused(self) -> bool:
        """Whether its score is the fused one, which smooths inside."""
        model = models()[self.model]
        if model.baseline is not None:
            return False
        config = Config.from_preset(model.preset, **model.settings)
        return self.options.get("score_mode", config.score_mode) == "fused"


_UNTRAINED = {
    "epochs": 1,
    "steps_per_epoch": 1,
    "learning_rate": 1e-30,  # lost in the rounding of float32: weights stay as they were drawn
    "discriminator_learning_rate": 1e-30,
}
_RECONSTRUCTION = {"score_mode": "reconstruction"}
_BOTH_OFF = {"adversarial_weight": 0.0, "contrastive_weight": 0.0}


@functools.cache
def models() -> dict[str, Model]:
    """All models by name."""
    found = [
        Model("random", baselines.RandomBaseline),
        Model("always-alarm", baselines.AlwaysAlarmBaseline),
        Model("untrained", settings=_UNTRAINED),
        Model("l2-norm", baselines.L2NormBaseline),
        Model("l2-norm-clip10", baselines.L2NormBaseline, settings={"clip": 10.0}),
        Model("pca-error", baselines.PCAErrorBaseline),
        Model("pca-error-clip10", baselines.PCAErrorBaseline, settings={"clip": 10.0}),
        Model("knn", baselines.KNNBaseline),
        Model("knn-projection", baselines.KNNProjectionBaseline),
        Model("k-means", baselines.KMeansBaseline),
        Model("isolation-forest", baselines.IsolationForestBaseline),
        Model("dense-autoencoder", baselines.DenseAutoencoderBaseline, shared=_NEURAL),
        Model(
            "lstm-autoencoder",
            baselines.LSTMAutoencoderBaseline,
            shared=(*_NEURAL, "patch_size"),
        ),
        Model(
            "transformer-autoencoder",
            baselines.TransformerAutoencoderBaseline,
            shared=(*_NEURAL, *_TRANSFORMER),
        ),
        Model("cnn-forecaster", baselines.CNNForecasterBaseline, shared=_NEURAL),
        Model(DEFAULT),
        Model("hybrid", preset="hybrid"),
        Model("no-mask", settings={"mask_type": "none"}),
        Model("bernoulli-mask", settings={"mask_type": "random"}),
        Model("no-adversarial", settings={"adversarial_weight": 0.0}),
        Model("no-contrastive", settings={"contrastive_weight": 0.0}),
        Model("no-adversarial-no-contrastive", settings=_BOTH_OFF),
    ]
    return {model.name: model for model in found}


def _calibrated(name: str, label: str, family: str) -> list[Method]:
    """A method by itself, and with its features' errors calibrated as the detector's are."""
    return [
        Method(name, family, label, name),
        Method(f"{name}-calibrated", family, f"{label}, calibrated", name, {"calibrate": True}),
    ]


def _only(view: str) -> dict[str, bool]:
    """Options of the fused score that leave all but one view out."""
    views = ("reconstruction", "forecast", "shift", "memory")
    return {f"has_{name}": False for name in views if name != view}


@functools.cache
def methods() -> dict[str, Method]:
    """All methods by name, floors first."""
    ablated = functools.partial(Method, family="ablation")

    def of_networks(name: str, label: str) -> list[Method]:
        """A training with something left out: by the fused score, and by what it changes alone."""
        return [
            ablated(name, label=label, model=name),
            ablated(
                f"{name}-reconstruction-score",
                label=f"{label}, reconstruction score",
                model=name,
                options=_RECONSTRUCTION,
            ),
        ]

    def of_score(name: str, label: str, **options: Any) -> Method:
        """The default's networks, scored in another way."""
        return ablated(name, label=label, model=DEFAULT, options=options)

    found = [
        Method("random", "floor", "Random", "random"),
        Method("always-alarm", "floor", "Always alarm", "always-alarm"),
        Method("untrained", "floor", "Untrained network", "untrained"),
        Method(
            "untrained-reconstruction-score",
            "floor",
            "Untrained network, reconstruction score",
            "untrained",
            _RECONSTRUCTION,
        ),
        Method("l2-norm", "simple", "L2 norm", "l2-norm"),
        Method("l2-norm-clip10", "simple", "L2 norm, clip 10", "l2-norm-clip10"),
        *_calibrated("pca-error", "PCA error", "simple"),
        Method("pca-error-clip10", "simple", "PCA error, clip 10", "pca-error-clip10"),
        Method("knn", "simple", "kNN of rows", "knn"),
        Method("knn-projection", "simple", "kNNproj", "knn-projection"),
        Method("k-means", "simple", "k-means on windows", "k-means"),
        Method("isolation-forest", "simple", "Isolation Forest", "isolation-forest"),
        *_calibrated("dense-autoencoder", "Dense autoencoder", "neural"),
        *_calibrated("lstm-autoencoder", "LSTM autoencoder", "neural"),
        *_calibrated("transformer-autoencoder", "Transformer autoencoder", "neural"),
        *_calibrated("cnn-forecaster", "CNN forecaster", "neural"),
        Method(DEFAULT, "ours", "Contrastive-GAN (default)", DEFAULT),
        Method("hybrid", "ours", "Hybrid-GAN", "hybrid"),
        of_score("reconstruction-score", "reconstruction score", score_mode="reconstruction"),
        of_score("no-forecast", "no forecast", has_forecast=False),
        of_score("forecast-only", "forecast only", **_only("forecast")),
        of_score("no-shift", "no shift", has_shift=False),
        of_score("shift-only", "shift only", **_only("shift")),
        of_score("no-memory", "no memory", has_memory=False),
        of_score("memory-only", "memory only", **_only("memory")),
        # Without its error and the bursts of it no network has a say: what does training earn?
        of_score("no-reconstruction", "no reconstruction", has_reconstruction=False),
        of_score("no-bursts", "no bursts", burst_span=0),
        of_score("no-smoothing", "no smoothing of the reconstruction", has_smoothing=False),
        of_score("no-calibration", "no calibration", calibrate=False),
        of_score("realism-score", "realism score", score_mode="realism"),
        of_score("combined-score", "combined score", score_mode="combined"),
        *of_networks("no-mask", "no mask"),
        *of_networks("bernoulli-mask", "Bernoulli mask"),
        *of_networks("no-adversarial", "no adversarial loss"),
        *of_networks("no-contrastive", "no contrastive loss"),
        *of_networks("no-adversarial-no-contrastive", "neither of the two losses"),
        ablated(
            "hybrid-reconstruction-score",
            label="hybrid, reconstruction score",
            model="hybrid",
            options=_RECONSTRUCTION,
        ),
        ablated(
            "hybrid-reconstruction-score-calibrated",
            label="hybrid, reconstruction score, calibrated",
            model="hybrid",
            options=_RECONSTRUCTION | {"calibrate": True},
        ),
    ]
    return {method.name: method for method in found}


def choose_methods(words: Sequence[str]) -> list[Method]:
    """Methods by names of their own, names of families, or `all`; in the table's order.

    Raises:
        InputError: If a word is none of these; the nearest is named.

    Example:
        >>> [method.name for method in choose_methods(["knn", "floor"])]
        ['random', 'always-alarm', 'untrained', 'untrained-reconstruction-score', 'knn']
    """
    known = methods()
    chosen: set[str] = set()
    for word in words:
        if word in known:
            chosen.add(word)
        elif word == "all" or word in FAMILIES:
            chosen |= {name for name, m in known.items() if word in ("all", m.family)}
        else:
            every = [*known, *FAMILIES, "all"]
            near = difflib.get_close_matches(word, every, n=1, cutoff=0.4)
            hint = f"{near[0]!r}? Or one" if near else "one"
            raise InputError(
                f"unknown method {word!r}, expected {hint} of: all, {', '.join(FAMILIES)}, "
                f"{', '.join(known)}"
            )
    return [method for name, method in known.items() if name in chosen]


def check_overrides(overrides: dict[str, Any], chosen: Sequence[Method]) -> None:
    """Raises `InputError` at once if settings do not fit one of the methods.

    Args:
        overrides: Fields of `Config` for all models.
        chosen: Methods that are to run.
    """
    Config.from_preset(**overrides)  # what is wrong for all needs no method's name
    for model in dict.fromkeys(method.model for method in chosen):
        try:
            models()[model].make_config(overrides, seed=0)
        except InputError as error:
            raise InputError(f"method {model}: {error}") from error
