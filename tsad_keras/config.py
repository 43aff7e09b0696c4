"""Every setting of the detector, in one flat frozen dataclass (standard library only).

Command-line flags, JSON keys and these field names are the same words. Widths, weights and rates of
the `contrastive-gan` preset are this project's own choice: the paper's hyperparameters were not
available (Miao et al., Information Processing & Management 61(1), 2024, 103569).
"""

from __future__ import annotations

import dataclasses
import json
import math
import numbers
import os
import typing
from pathlib import Path
from typing import Any, Literal

from tsad_keras.errors import InputError


@dataclasses.dataclass(frozen=True)
class Config:
    """Settings of `ContrastiveGANDetector`; the comment beside a default is its reason.

    Raises:
        InputError: From the constructor, if a value is out of its range or two values contradict
            each other.

    Example:
        >>> Config(window_size=60).patch_size
        5
        >>> Config(stride=0)
        Traceback (most recent call last):
        ...
        tsad_keras.errors.InputError: stride is 0, expected 1 or more
    """

    # --- windows ---------------------------------------------------------------------------------
    window_size: int = 100  # time steps a window; long enough for context, short enough for a CPU
    patch_size: int = 5  # time steps a token: 20 tokens a window instead of 100, 5 times cheaper
    stride: int = 1  # training windows start at every stride-th row; 1 = every row can be a start
    score_stride: int = 50  # scoring windows overlap by half: every point is seen in two contexts
    validation_fraction: float = 0.1  # tail of the training series, kept for stopping and threshold

    # --- scaling ---------------------------------------------------------------------------------
    clip: float = 50.0  # z-scores beyond this are cut, so that one wild value cannot own a series
    # A feature of two values on train is a command or a mode more often than a symptom, and its
    # rare changes would drown the measurements (benchmarks/LOG.md). 1 = like other features.
    flag_weight: float = 0.1
    # Several series: scaler, calibration, levels and thresholds of each entity of its own, networks
    # and memory shared. Off: one of each for all, so that an unknown series can be scored as well.
    entity_scaling: bool = False

    # --- masks and augmentation ------------------------------------------------------------------
    mask_type: Literal["geometric", "random", "none"] = "geometric"  # the paper's augmentation
    mask_mode: Literal["separate", "concurrent"] = "separate"  # a chain per feature, or one for all
    masking_ratio: float = 0.15  # long-run share of hidden values (Zerveas et al., KDD 2021)
    mean_mask_length: float = 3.0  # mean length of a hidden run, time steps (same source)
    jitter: float = 0.0  # standard deviation of added noise, in train standard deviations

    # --- networks --------------------------------------------------------------------------------
    hidden_dim: int = 128  # width of a token
    num_heads: int = 4  # attention heads; must divide hidden_dim
    intermediate_dim: int = 256  # width inside the feed-forward part
    num_layers: int = 1  # encoder blocks; enough for 20 tokens, and each costs its share of a step
    bottleneck_dim: int = 32  # one vector between encoder and decoder; 0 = every token by itself
    dropout: float = 0.0  # windows are drawn at random and masked: enough noise already
    discriminator_dim: int = 128  # width of the discriminator's hidden layers
    discriminator_layers: int = 2  # hidden layers of the discriminator
    discriminator_dropout: float = 0.0  # its scores do not count by default; hybrid: see there
    projection_dim: int = 64  # width of the space in which views are contrasted
    latent_generator: bool = False  # fakes from z (hybrid) instead of reconstructions
    latent_dim: int = 64  # values in z

    # --- losses ----------------------------------------------------------------------------------
    reconstruction_weight: float = 1.0  # the other two are measured against it
    contrastive_weight: float = 0.2  # the hybrid design's published weight
    adversarial_weight: float = (
        0.01  # small beside a reconstruction loss of about 0.1, which it must not drown
    )
    contrastive_source: Literal["discriminator", "encoder"] = "discriminator"  # whose features
    masked_weight: float = 0.0  # 0: error of all points, 1: of hidden points only, between: mixed
    temperature: float = 0.5  # of NT-Xent (Chen et al., ICML 2020, appendix)

    # --- training --------------------------------------------------------------------------------
    batch_size: int = 32  # windows a step; each gives two views, so networks see twice as many
    epochs: int = 10  # at most; early stopping may end sooner
    steps_per_epoch: int = 20  # at most; a long series does not make a long epoch
    learning_rate: float = 3e-3  # 200 steps are enough with it, at the bottleneck's width
    discriminator_learning_rate: float = 5e-4  # slower than the generator: it must not win outright
    weight_decay: float = 1e-5  # AdamW
    gradient_clip_norm: float = 1.0  # global norm, each of the two optimizers
    early_stopping_patience: int = 5  # epochs without a better val_reconstruction_loss; 0 = off
    reduce_lr_patience: int = 3  # epochs without improvement before the rates are cut; 0 = off
    reduce_lr_factor: float = 0.5  # both rates are multiplied by it
    seed: int = 0  # of weights, batches and masks: the same seed, the same model on one machine
    checkpoint_steps: int = 100  # a checkpoint at least every so many steps; 0 = only by time
    checkpoint_minutes: float = 2.0  # and at least every so many minutes

    # --- scores and decisions --------------------------------------------------------------------
    # The fused score of reconstruction, forecast, shift and memory is ahead of each of them alone
    # on every development set (SMD, six servers, MSL; benchmarks/README.md).
    score_mode: Literal["fused", "reconstruction", "realism", "combined"] = "fused"
    memory_size: int = 1000  # training patterns kept for the fused score; 0 = no memory
    num_neighbours: int = 5  # of them that count; one alone could itself be an anomaly
    forecast_order: int = 3  # rows that the fused score's forecast looks back; 0 = no forecast
    mean_shift: bool = True  # the fused score sees how far a window's mean lies from train's
    burst_span: int = 100  # time steps of the past that short bursts stand out of; 0 = no bursts
    realism_weight: float = 1.0  # of 1 - D(x) in the combined score
    calibrate: bool = True  # divide each feature's error by what is typical of it on train
    # Fused: of a mean of the reconstruction error that fades both ways within a window. Other
    # modes: causal, over three scales (raw, so many steps, 4 times as many). 1 = off.
    smoothing_span: int = 15
    # pot: extreme values of the validation scores; percentile: a quantile; sigma: mean + k sigma
    threshold_method: Literal["pot", "percentile", "sigma"] = "pot"
    false_alarm_rate: float = 0.01  # expected share of alarmed steps on normal data
    # At most this share of a whole series of 1,000 steps or more is alarmed, but for what stands
    # out of the rest of it: a level that moves for good must not be one endless alarm. 1 = off.
    max_alarm_rate: float = 0.1
    score_batch_size: int = 64  # windows a forward pass when scoring; no influence on results

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            value = _coerce(field.name, getattr(self, field.name), _TYPES[field.name])
            object.__setattr__(self, field.name, value)
            _check_range(field.name, value)
        _check_consistency(self)

    @property
    def pattern_size(self) -> int:
        """Time steps of a pattern in memory: whole patches, about a fifth of a window.

        Example:
            >>> Config(window_size=100, patch_size=5).pattern_size
            20
        """
        num_patches = self.window_size // self.patch_size
        divisors = (n for n in range(1, max(1, num_patches // 5) + 1) if num_patches % n == 0)
        return self.patch_size * max(divisors)

    @property
    def has_memory(self) -> bool:
        """Whether scores need a memory of training patterns."""
        return self.score_mode == "fused" and self.memory_size > 0

    @property
    def forecast_lags(self) -> int:
        """Rows that forecasts look back: `forecast_order`, or half a window; 0 = no forecast."""
        if self.score_mode != "fused":
            return 0
        return min(self.forecast_order, self.window_size // 2)

    @property
    def has_shift(self) -> bool:
        """Whether scores look at the windows' means."""
        return self.score_mode == "fused" and self.mean_shift

    @property
    def has_realism(self) -> bool:
        """Whether scores need the discriminator."""
        return self.score_mode in ("realism", "combined")

    @classmethod
    def from_preset(cls, preset: str = "contrastive-gan", **overrides: Any) -> Config:
        """Returns a named preset with some fields replaced.

        Args:
            preset: A key of `PRESETS`.
            **overrides: Fields of `Config`; an unknown one raises.

        Raises:
            InputError: If the preset or a field is unknown, or a value is out of range.

        Example:
            >>> Config.from_preset("hybrid", epochs=2).epochs
            2
        """
        if preset not in PRESETS:
            raise InputError(f"unknown preset {preset!r}, expected one of {', '.join(PRESETS)}")
        return cls.from_dict({**PRESETS[preset], **overrides})

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Config:
        """Builds a config from a mapping; an unknown key raises `InputError`."""
        unknown = sorted(set(values) - set(_TYPES))
        if unknown:
            raise InputError(
                f"unknown setting {unknown[0]!r}, expected one of {', '.join(sorted(_TYPES))}"
            )
        return cls(**values)

    def to_dict(self) -> dict[str, Any]:
        """Returns all fields as a JSON-serialisable dict."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, path: str | os.PathLike[str]) -> Config:
        """Reads a JSON object of fields, as `config.json` in a run's or a model's folder.

        Raises:
            InputError: If the file is missing, is not a JSON object, or has an unknown key.
        """
        try:
            values = json.loads(Path(path).read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise InputError(
                f"cannot read the config file {path}: {error}; expected a JSON object of settings"
            ) from error
        if not isinstance(values, dict):
            raise InputError(f"{path} holds a JSON {type(values).__name__}, expected an object")
        return cls.from_dict(values)


_TYPES: dict[str, Any] = typing.get_type_hints(Config)

# What the hybrid design published (see the README); fields that it left open are marked "own".
PRESETS: dict[str, dict[str, Any]] = {
    "contrastive-gan": {},
    "hybrid": {
        "window_size": 100,
        "patch_size": 5,  # own: as in the default; nothing is published about tokens
        "stride": 50,
        "mask_type": "random",
        "masking_ratio": 0.15,
        "jitter": 0.03,
        "clip": 10.0,
        "flag_weight": 1.0,  # own: the published design has no such rule
        "hidden_dim": 128,
        "bottleneck_dim": 0,
        "num_layers": 4,
        "num_heads": 8,
        "latent_generator": True,
        "latent_dim": 64,
        "discriminator_layers": 4,
        # own: without it the discriminator learns 500 windows by heart and 1 - D of new normal ones
        # scatters; chosen by looking at the synthetic set (seed 0)
        "discriminator_dropout": 0.3,
        "contrastive_source": "encoder",
        "reconstruction_weight": 1.0,
        "contrastive_weight": 0.2,
        "adversarial_weight": 0.05,
        "learning_rate": 5e-4,
        "discriminator_learning_rate": 5e-4,
        "weight_decay": 1e-5,
        "reduce_lr_patience": 5,
        "early_stopping_patience": 0,  # own: the published run has a fixed 40 epochs
        "batch_size": 64,
        "epochs": 40,
        "steps_per_epoch": 1000,  # own: an epoch is every window once
        "score_mode": "combined",
        "realism_weight": 1.0,
        "calibrate": False,
        "smoothing_span": 1,
        "max_alarm_rate": 1.0,  # own: the published design has no such rule
        "false_alarm_rate": 1e-4,  # own: the risk that POT's authors use (Siffer et al., KDD 2017)
    },
}

# field: (lowest, highest, lowest itself excluded)
_RANGES: dict[str, tuple[float, float, bool]] = {
    "window_size": (2, 100_000, False),
    "patch_size": (1, 10_000, False),
    "stride": (1, math.inf, False),
    "score_stride": (1, math.inf, False),
    "validation_fraction": (0, 0.9, True),
    "clip": (0, math.inf, True),
    "flag_weight": (0, 1, True),
    "masking_ratio": (0, 1, False),
    "mean_mask_length": (1, math.inf, False),
    "jitter": (0, math.inf, False),
    "hidden_dim": (1, 65_536, False),
    "num_heads": (1, 1024, False),
    "intermediate_dim": (1, 262_144, False),
    "num_layers": (1, 100, False),
    "bottleneck_dim": (0, 65_536, False),
    "dropout": (0, 0.99, False),
    "discriminator_dropout": (0, 0.99, False),
    "discriminator_dim": (1, 65_536, False),
    "discriminator_layers": (2, 100, False),
    "projection_dim": (1, 65_536, False),
    "latent_dim": (1, 65_536, False),
    "reconstruction_weight": (0, math.inf, False),
    "contrastive_weight": (0, math.inf, False),
    "adversarial_weight": (0, math.inf, False),
    "masked_weight": (0, 1, False),
    "temperature": (0, math.inf, True),
    "batch_size": (2, 1_000_000, False),
    "epochs": (1, 1_000_000, False),
    "steps_per_epoch": (1, 1_000_000_000, False),
    "learning_rate": (0, math.inf, True),
    "discriminator_learning_rate": (0, math.inf, True),
    "weight_decay": (0, math.inf, False),
    "gradient_clip_norm": (0, math.inf, True),
    "early_stopping_patience": (0, math.inf, False),
    "reduce_lr_patience": (0, math.inf, False),
    "reduce_lr_factor": (0, 1, True),
    "seed": (0, 2**31 - 1, False),
    "checkpoint_steps": (0, math.inf, False),
    "checkpoint_minutes": (0, math.inf, True),
    "memory_size": (0, 1_000_000, False),
    "num_neighbours": (1, 1000, False),
    "forecast_order": (0, 100, False),
    "burst_span": (0, math.inf, False),
    "realism_weight": (0, math.inf, False),
    "smoothing_span": (1, math.inf, False),
    "false_alarm_rate": (0, 0.5, True),
    "max_alarm_rate": (0, 1, True),
    "score_batch_size": (1, 1_000_000, False),
}


def field_type(name: str) -> Any:
    """Returns the type of a field: `int`, `float`, `bool` or a `Literal` of strings."""
    return _TYPES[name]


def choices(name: str) -> tuple[str, ...] | None:
    """Returns the words a field accepts, or None if it is a number or a switch."""
    hint = _TYPES[name]
    return typing.get_args(hint) if typing.get_origin(hint) is Literal else None


def _coerce(name: str, value: Any, hint: Any) -> Any:
    """Checks a value's type; whole floats become ints where an int is expected."""
    if typing.get_origin(hint) is Literal:
        words = typing.get_args(hint)
        if value not in words:
            raise InputError(f"{name} is {value!r}, expected one of {', '.join(words)}")
        return value
    if hint is bool:
        if not isinstance(value, bool):
            raise InputError(f"{name} is {value!r}, expected true or false")
        return value
    if not _is_finite_number(value):
        raise InputError(f"{name} is {value!r}, expected a finite number")
    if hint is int and value != int(value):
        raise InputError(f"{name} is {value!r}, expected a whole number")
    return hint(value)


def _is_finite_number(value: Any) -> bool:
    if isinstance(value, bool) or not isinstance(value, numbers.Real):  # Real: NumPy's, too
        return False
    try:
        return math.isfinite(value)
    except OverflowError:  # an int beyond the range of floats
        return False


def _check_range(name: str, value: Any) -> None:
    if name not in _RANGES:
        return
    low, high, excluded = _RANGES[name]
    if value < low or value > high or (excluded and value == low):
        lower = f"more than {low}" if excluded else f"{low} or more"
        upper = "" if math.isinf(high) else f" and at most {high}"
        raise InputError(f"{name} is {value}, expected {lower}{upper}")


def _check_consistency(config: Config) -> None:
    if config.window_size % config.patch_size:
        raise InputError(
            f"window_size is {config.window_size} and patch_size {config.patch_size}, expected a "
            "window_size that is a multiple of patch_size"
        )
    if config.score_stride > config.window_size:
        raise InputError(
            f"score_stride is {config.score_stride}, expected at most window_size "
            f"({config.window_size}), or some time steps would get no score"
        )
    if config.hidden_dim % config.num_heads:
        raise InputError(
            f"hidden_dim is {config.hidden_dim}, expected a multiple of num_heads "
            f"({config.num_heads})"
        )
    if config.mask_type == "geometric" and config.masking_ratio < 1:
        # P(kept -> masked) = r / (l (1 - r)) is a probability only if l >= r / (1 - r).
        least = config.masking_ratio / (1 - config.masking_ratio)
        if config.mean_mask_length < least * (1 - 1e-9):  # .9 / (1 - .9) is not quite 9
            raise InputError(
                f"mean_mask_length is {config.mean_mask_length}, expected {least:.3g} or more with "
                f"masking_ratio {config.masking_ratio}"
            )
    if config.has_realism and config.adversarial_weight == 0:
        raise InputError(
            f"score_mode is {config.score_mode!r} with adversarial_weight 0: the discriminator "
            "would not be trained; use another score_mode or a weight above 0"
        )
    if config.reconstruction_weight == 0 and config.score_mode != "realism":
        raise InputError(
            f"reconstruction_weight is 0 with score_mode {config.score_mode!r}; use score_mode "
            "realism or a weight above 0"
        )
