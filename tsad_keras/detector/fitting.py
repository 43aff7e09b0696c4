"""The parts of `fit`: the check, the training run, the calibration."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import logging
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import tensorflow as tf

from tsad_keras.alignment import aligned_empty
from tsad_keras.calibration import typical_errors, typical_shifts
from tsad_keras.config import Config
from tsad_keras.detector.networks import Networks, build_networks
from tsad_keras.errors import InputError
from tsad_keras.levels import view_scales
from tsad_keras.pipelines import training_pipeline, validation_pipeline
from tsad_keras.scaling import Scaler, flag_weights, last_seen
from tsad_keras.training import (
    AdversarialStep,
    AveragedAdamW,
    Checkpoint,
    DistributedStep,
    Distribution,
    FusedAdamW,
    History,
    LossWeights,
    Trainer,
)
from tsad_keras.training.distributed import lost_worker_is_one_line
from tsad_keras.windows import gather_from_series, split_train_validation, starts_within_series

logger = logging.getLogger(__name__)

MAX_CALIBRATION_WINDOWS = 2048  # evenly spaced; more change the means by less than their noise
MAX_CAUSAL_ROWS = 10_000  # 50 of them lie beyond the default threshold: enough for its tail
_MAX_VALIDATION_WINDOWS = 256
_LISTED = 5  # names in a message


def check_varies(train: Sequence[np.ndarray], feature_names: Sequence[str]) -> None:
    """Refuses training parts that nothing can be learnt from; NaN do not count.

    Raises:
        InputError: If a feature has no value, or none of them varies.
    """
    low = np.min([np.fmin.reduce(values, axis=0, initial=np.inf) for values in train], axis=0)
    high = np.max([np.fmax.reduce(values, axis=0, initial=-np.inf) for values in train], axis=0)
    empty = np.flatnonzero(low > high)
    if empty.size:
        raise InputError(
            f"feature {feature_names[empty[0]]!r} has no value in the part of the series that is "
            "trained on (all but the tail, which is kept for validation), expected some; fill or "
            "remove the column, or use more rows"
        )
    if np.all(low >= high):
        raise InputError(
            "every feature is constant in the part of the series that is trained on (all but the "
            "tail, which is kept for validation), expected at least one that varies; check the "
            "columns"
        )


@dataclasses.dataclass(frozen=True)
class Part:
    """Series that share a scaler and a calibration: those of an entity, or all.

    Attributes:
        name: Of the entity; None for all.
        scaler: Fitted on the training part.
        train: Scaled float32 series `(num_timesteps, num_features)` without NaN.
        validation: Their tails, likewise; those that have one.
    """

    name: str | None
    scaler: Scaler
    train: list[np.ndarray]
    validation: list[np.ndarray]


def split_parts(
    config: Config,
    series: Sequence[np.ndarray],
    feature_names: Sequence[str],
    entity_names: Sequence[str] | None = None,
    *,
    weight: np.ndarray | None = None,
) -> list[Part]:
    """Cuts the validation tails off and scales each entity by itself.

    Args:
        config: The settings.
        series: Raw series `(num_timesteps, num_features)`.
        feature_names: For messages.
        entity_names: The entity of each series; one may have several. None: one part for all.
        weight: `(num_features,)` of the features; default: `flag_weights` of all entities.

    Returns:
        A part for each entity, in the order of their first series.

    Raises:
        InputError: If a part is too short or there is nothing to learn from.
    """
    groups: dict[str | None, list[np.ndarray]] = {}
    for name, values in zip(entity_names or [None] * len(series), series, strict=True):
        groups.setdefault(name, []).append(values)
    halves = {}
    for name, members in groups.items():
        with _named(name):
            halves[name] = split_train_validation(
                members, config.window_size, config.validation_fraction
            )
            check_varies(halves[name][0], feature_names)
    if weight is None:
        weight = flag_weights([train for train, _ in halves.values()], config.flag_weight)
        _tell_flags(weight, feature_names)
    parts = []
    for name, (train, validation) in halves.items():
        with _named(name):
            scaler = Scaler(config.clip).fit(train, weight)
        tails = zip(validation, train, strict=True)
        parts.append(
            Part(
                name,
                scaler,
                [scaler.transform(values) for values in train],
                [scaler.transform(tail, last_seen(head)) for tail, head in tails if len(tail)],
            )
        )
    return parts


@contextlib.contextmanager
def _named(entity: str | None) -> Iterator[None]:
    """Names the entity in an error of what is at fault."""
    try:
        yield
    except InputError as error:
        if entity is None:
            raise
        raise InputError(f"entity {entity!r}: {error}") from error


def _tell_flags(weight: np.ndarray, feature_names: Sequence[str]) -> None:
    flags = [feature_names[index] for index in np.flatnonzero(weight != 1)]
    if flags:
        logger.info(
            "%d of %d features have two values on train and count %g (flag_weight): %s%s",
            *(len(flags), len(feature_names), weight.min()),
            *(", ".join(flags[:_LISTED]), ", ..." if len(flags) > _LISTED else ""),
        )


def train_networks(
    config: Config,
    networks: Networks,
    train: Sequence[np.ndarray],
    validation: Sequence[np.ndarray],
    *,
    checkpoint: Checkpoint | None,
    history: History,
    show_progress: bool,
    distribution: Distribution | None = None,
) -> Trainer:
    """Trains in place; the networks end with the weights of the best epoch.

    Args:
        config: The settings.
        networks: As `build_networks` made them.
        train: Scaled float32 series `(num_timesteps, num_features)` without NaN.
        validation: Likewise.
        checkpoint: Optional.
        history: Takes the rows.
        show_progress: Whether to draw a progress bar.
        distribution: Where `networks` were made, if there are several replicas of them.

    Returns:
        The trainer after its last epoch.
    """
    starts = starts_within_series([len(s) for s in train], config.window_size, config.stride)
    steps_per_epoch = min(config.steps_per_epoch, max(1, len(starts) // config.batch_size))
    rules = ("early_stopping_patience", "reduce_lr_patience", "reduce_lr_factor")
    rules += ("checkpoint_steps", "checkpoint_minutes")
    names = ("mask_type", "mask_mode", "masking_ratio", "mean_mask_length", "jitter")
    pipeline_settings = {
        "window_size": config.window_size,
        "batch_size": config.batch_size,
        "seed": config.seed,
        **{name: getattr(config, name) for name in names},
    }
    trainer = Trainer(
        make_step(config, networks)
        if distribution is None
        else _make_distributed_step(config, networks, distribution),
        epochs=config.epochs,
        steps_per_epoch=steps_per_epoch,
        checkpoint=checkpoint,
        **{name: getattr(config, name) for name in rules},
        history=history,
        show_progress=show_progress,
    )
    lengths = [len(values) for values in validation]
    validation_starts = thinned(
        starts_within_series(lengths, config.window_size, config.score_stride),
        _MAX_VALIDATION_WINDOWS,
    )

    def make_batches(first_step: int) -> tf.data.Dataset:
        return training_pipeline(
            _joined(train),
            starts,
            steps_per_epoch=steps_per_epoch,
            epochs=config.epochs,
            first_step=first_step,
            **pipeline_settings,
        )

    return trainer.fit(
        make_batches if distribution is None else distribution.batches(make_batches),
        validation_pipeline(_joined(validation), validation_starts, **pipeline_settings),
    )


def _joined(series: Sequence[np.ndarray]) -> np.ndarray:
    """All series one after the other; a single one is not copied."""
    if len(series) == 1:
        return series[0]
    joined = aligned_empty((sum(len(values) for values in series), series[0].shape[1]))
    return np.concatenate(series, out=joined)


def window_errors(
    config: Config,
    window_outputs: Callable[[np.ndarray], np.ndarray],
    train: Sequence[np.ndarray],
) -> np.ndarray:
    """Means over the time steps of evenly spaced windows of what the networks say.

    Args:
        config: The settings.
        window_outputs: `WindowOutputs` of the networks.
        train: Scaled series.

    Returns:
        `(num_windows, num_outputs)`; the first `num_features` columns are the mean squared
        reconstruction errors.
    """
    starts = thinned(
        starts_within_series([len(s) for s in train], config.window_size, config.score_stride),
        MAX_CALIBRATION_WINDOWS,
    )
    means = []
    for first in range(0, len(starts), config.score_batch_size):
        chosen = starts[first : first + config.score_batch_size]
        outputs = window_outputs(gather_from_series(train, chosen, config.window_size))
        means.append(outputs.mean(axis=1, dtype=np.float64))
    return np.concatenate(means)


def error_scales(
    config: Config,
    window_outputs: Callable[[np.ndarray], np.ndarray],
    part: Part,
) -> dict[str, np.ndarray]:
    """What each feature's squared errors are divided by, `(num_features,)`; ones if not calibrated.

    The memory is not there yet: what its errors are divided by is not known before validation.

    Args:
        config: The settings.
        window_outputs: `WindowOutputs` of the networks.
        part: Its training series and the weights of its features.

    Returns:
        `view_scales` of the views but those of a memory; without the fused score as well.
    """
    width, weight = part.train[0].shape[1], part.scaler.weight_
    ones = np.ones(width)
    scales = view_scales(
        ones,
        forecast_scale=ones if config.forecast_lags else None,
        shift_scale=ones if config.has_shift else None,
    )
    if not config.calibrate:
        return scales
    errors = window_errors(config, window_outputs, part.train)
    blocks = {
        name: errors[:, index * width : (index + 1) * width] for index, name in enumerate(scales)
    }
    return view_scales(
        typical_errors(blocks["raw"], weight),
        typical_errors(blocks["forecast"], weight) if "forecast" in blocks else None,
        typical_shifts(blocks["shift"], config.window_size, weight) if "shift" in blocks else None,
    )


def shortened(series: Sequence[np.ndarray]) -> list[np.ndarray]:
    """The beginnings of series, in proportion to their lengths, `MAX_CAUSAL_ROWS` rows in all."""
    share = min(1.0, MAX_CAUSAL_ROWS / sum(len(values) for values in series))
    return [values[: max(1, int(share * len(values)))] for values in series]


def fingerprint(
    config: Config, series: Sequence[np.ndarray], entity_names: Sequence[str] | None = None
) -> str:
    """A hash that is equal only for the same settings and the same data."""
    settings = [config.to_dict(), *([] if entity_names is None else [list(entity_names)])]
    digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode())
    for values in series:
        digest.update(str(values.shape).encode())
        digest.update(np.ascontiguousarray(values))  # its buffer: no copy
    return digest.hexdigest()


def thinned(starts: np.ndarray, most: int) -> np.ndarray:
    """At most `most` of the starts, evenly spaced, the first and the last among them."""
    if len(starts) <= most:
        return starts
    return starts[np.linspace(0, len(starts) - 1, most).astype(int)]


def train_replicas(
    config: Config, networks: Networks, *args, distribution: Distribution, **kwargs
) -> Trainer:
    """As `train_networks`, on all replicas; `networks` ends with the same weights as they.

    Raises:
        WorkerLostError: If another worker has gone.
    """
    with distribution.strategy.scope():
        replicas = build_networks(config, networks.autoencoder.input_shape[-1])
    try:
        with lost_worker_is_one_line():
            return train_networks(config, replicas, *args, distribution=distribution, **kwargs)
    finally:
        networks.set_weights(replicas.weights())


def _make_distributed_step(
    config: Config, networks: Networks, distribution: Distribution
) -> DistributedStep:
    with distribution.strategy.scope():
        return DistributedStep(make_step(config, networks, AveragedAdamW), distribution)


def make_step(
    config: Config, networks: Networks, optimizer: type[FusedAdamW] = FusedAdamW
) -> AdversarialStep:
    names = [field.name for field in dataclasses.fields(LossWeights)]
    optimizers = [
        optimizer(
            rate,
            weight_decay=config.weight_decay,
            global_clipnorm=config.gradient_clip_norm,
        )
        for rate in (config.learning_rate, config.discriminator_learning_rate)
    ]
    return AdversarialStep(
        networks.autoencoder,
        networks.discriminator,
        networks.projection_head,
        networks.latent_generator,
        loss_weights=LossWeights(**{name: getattr(config, name) for name in names}),
        generator_optimizer=optimizers[0],
        discriminator_optimizer=optimizers[1],
        seed=config.seed,
    )
