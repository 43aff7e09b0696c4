"""tf.data pipelines: windows are gathered batch by batch from the series, never materialised."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from tsad_keras.alignment import is_aligned
from tsad_keras.masking import add_jitter, apply_mask, draw_mask

# Streams of random numbers that must not coincide; the second view has noise from the one after.
_SHUFFLE_STREAM, _VALIDATION_STREAM, _VIEW_STREAM = range(3)
# Nothing that is mapped branches on a tensor: no source is rewritten, which would take a second.
_AS_IT_IS = tf.autograph.experimental.do_not_convert


def training_pipeline(
    series: np.ndarray,
    starts: np.ndarray,
    *,
    window_size: int,
    batch_size: int,
    steps_per_epoch: int,
    epochs: int,
    seed: int,
    first_step: int = 0,
    **augmentation,
) -> tf.data.Dataset:
    """Batches of windows and two independent views of each, for all epochs in one dataset.

    What step n holds depends on `seed` and n alone, so a pipeline that begins at `first_step` goes
    on exactly where another one stopped.

    Args:
        series: `(num_timesteps, num_features)` float32, scaled, without NaN. Not copied if
            `is_aligned`, so it must stay as it is.
        starts: `(num_windows,)` first rows of the allowed windows.
        window_size: Time steps a window.
        batch_size: Windows a batch.
        steps_per_epoch: Batches an epoch. If `starts` holds fewer windows than an epoch asks for,
            or 20 times as many, they are drawn with repetition, else each at most once an epoch.
        epochs: Epochs in the dataset.
        seed: Any non-negative int below 2^31.
        first_step: Steps to leave out at the beginning.
        **augmentation: `mask_type, mask_mode, masking_ratio, mean_mask_length, jitter`.

    Returns:
        Dataset of dicts `windows, view_a, view_b` (batch_size, window_size, num_features) float32
        and `mask_a, mask_b` of the same shape, bool, True = hidden.
    """
    series = _as_tensor(series)
    starts = tf.constant(starts, tf.int64)

    @_AS_IT_IS
    def epoch_of_starts(epoch: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        drawn = _draw_starts(
            starts, steps_per_epoch * batch_size, _fold(seed, _SHUFFLE_STREAM, epoch)
        )
        steps = epoch * steps_per_epoch + tf.range(steps_per_epoch, dtype=tf.int64)
        return steps, tf.reshape(drawn, [steps_per_epoch, batch_size])

    @_AS_IT_IS
    def to_batch(step: tf.Tensor, batch_starts: tf.Tensor) -> dict[str, tf.Tensor]:
        windows = _gather(series, batch_starts, window_size)
        windows = tf.ensure_shape(windows, [batch_size, window_size, series.shape[1]])
        view_a, view_b = make_views(windows, _fold(seed, _VIEW_STREAM, step), 2, **augmentation)
        return {
            "windows": windows,
            "view_a": view_a[0],
            "view_b": view_b[0],
            "mask_a": view_a[1],
            "mask_b": view_b[1],
        }

    first_epoch, skipped = divmod(first_step, steps_per_epoch)
    return (
        tf.data.Dataset.range(first_epoch, epochs)
        .map(epoch_of_starts)
        .unbatch()
        .skip(skipped)
        .map(to_batch, num_parallel_calls=1, deterministic=True)
        .prefetch(2)
        .with_options(_as_written())
    )


def validation_pipeline(
    series: np.ndarray,
    starts: np.ndarray,
    *,
    window_size: int,
    batch_size: int,
    seed: int,
    **augmentation,
) -> tf.data.Dataset:
    """The same windows under the same masks at every pass.

    Args:
        series: `(num_timesteps, num_features)` float32, scaled, without NaN.
        starts: `(num_windows,)` first rows.
        window_size: Time steps a window.
        batch_size: Windows a batch; the last one may be smaller.
        seed: Any non-negative int below 2^31.
        **augmentation: As for `training_pipeline`.

    Returns:
        Dataset of dicts `windows, view_a, mask_a`, each `(batch_size, window_size, num_features)`.
    """
    series = _as_tensor(series)

    @_AS_IT_IS
    def to_batch(step: tf.Tensor, batch_starts: tf.Tensor) -> dict[str, tf.Tensor]:
        windows = _gather(series, batch_starts, window_size)
        windows = tf.ensure_shape(windows, [None, window_size, series.shape[1]])
        number = _fold(seed, _VALIDATION_STREAM, step)
        ((view, mask),) = make_views(windows, number, 1, **augmentation)
        return {"windows": windows, "view_a": view, "mask_a": mask}

    return (
        tf.data.Dataset.from_tensor_slices(tf.constant(starts, tf.int64))
        .batch(batch_size)
        .enumerate()
        .map(to_batch)
        .cache()
        .with_options(_as_written())
    )


def make_views(
    windows: tf.Tensor,
    seed: tf.Tensor,
    count: int,
    *,
    mask_type: str,
    mask_mode: str,
    masking_ratio: float,
    mean_mask_length: float,
    jitter: float,
) -> list[tuple[tf.Tensor, tf.Tensor]]:
    """Returns independently augmented views of each window, and their masks.

    Args:
        windows: `(batch_size, window_size, num_features)`.
        seed: `(2,)` int64.
        count: How many views.
        mask_type: `"geometric"`, `"random"` or `"none"`.
        mask_mode: `"separate"` or `"concurrent"`.
        masking_ratio: Share of hidden values.
        mean_mask_length: Mean hidden run, time steps (geometric masks).
        jitter: Standard deviation of the noise that is added before masking.

    Returns:
        Pairs of view and mask (True = hidden), all shaped like `windows`.
    """
    batch_size = windows.shape[0] or tf.shape(windows)[0]
    masks = draw_mask(
        (count * batch_size, *windows.shape[1:]),  # in one go: one large draw costs less than two
        seed,
        mask_type=mask_type,
        mask_mode=mask_mode,
        masking_ratio=masking_ratio,
        mean_mask_length=mean_mask_length,
    )
    views = []
    by_view = tf.reshape(masks, (count, batch_size, *windows.shape[1:]))
    for index, mask in enumerate(tf.unstack(by_view, num=count)):  # shares memory, `split` copies
        mask = tf.ensure_shape(mask, windows.shape)
        noise_seed = tf.bitwise.invert(seed) - tf.constant([index, 0], seed.dtype)
        views.append((apply_mask(add_jitter(windows, noise_seed, jitter), mask), mask))
    return views


def _as_tensor(series: np.ndarray) -> tf.Tensor:
    """The series as a tensor, in the same memory where possible."""
    if is_aligned(series):
        return tf.experimental.dlpack.from_dlpack(series.__dlpack__())
    return tf.constant(series, tf.float32)


def _as_written() -> tf.data.Options:
    """No rewriting of the pipeline: it would copy the series, and there is nothing left to tune."""
    options = tf.data.Options()
    options.autotune.enabled = False
    options.experimental_optimization.apply_default_optimizations = False
    return options


def _gather(series: tf.Tensor, starts: tf.Tensor, window_size: int) -> tf.Tensor:
    return tf.gather(series, starts[:, None] + tf.range(window_size, dtype=tf.int64))


def _draw_starts(starts: tf.Tensor, count: int, seed: tf.Tensor) -> tf.Tensor:
    """`count` of the starts: a random subset where there are enough, else with repetition."""
    num_windows = int(starts.shape[0])
    if count > num_windows or count * 20 < num_windows:
        # A sparse draw with repetition is as good as a subset and does not sort millions of rows.
        chosen = tf.random.stateless_uniform(
            [count], seed, minval=0, maxval=num_windows, dtype=tf.int64
        )
        return tf.gather(starts, chosen)
    return tf.random.experimental.stateless_shuffle(starts, seed)[:count]


def _fold(seed: int, stream: int, number: tf.Tensor) -> tf.Tensor:
    """A `(2,)` seed that is different for every (seed, stream, number)."""
    return tf.stack([tf.constant(seed * 8 + stream, tf.int64), tf.cast(number, tf.int64)])
