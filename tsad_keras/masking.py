"""Augmentations as stateless, vectorised TensorFlow operations: same seed, same result.

A mask is boolean with `True` = hidden. Nothing loops over time.
"""

from __future__ import annotations

import tensorflow as tf

_MODES = ("separate", "concurrent")


def geometric_mask(
    shape: tuple[int, int, int] | tf.Tensor,
    seed: tf.Tensor,
    *,
    masking_ratio: float = 0.15,
    mean_mask_length: float = 3.0,
    mask_mode: str = "separate",
) -> tf.Tensor:
    """Draws masks whose hidden runs have geometric lengths.

    Over time, each chain has two states with P(hidden -> kept) = 1 / l and P(kept -> hidden) =
    (1 / l) r / (1 - r), and starts hidden with probability r; so hidden runs are geometric with
    mean l and the long-run hidden share is r.

    The chain is sampled without a loop over time. One uniform number per step picks one of the maps
    {hidden, kept} -> {hidden, kept}: "hide", "show", "stay" or "flip", with probabilities that give
    both transitions. Maps compose associatively, so a prefix scan of log2(window_size) steps yields
    every state at once.

    Args:
        shape: `(batch_size, window_size, num_features)`.
        seed: `(2,)` int32 or int64, as for `tf.random.stateless_uniform`.
        masking_ratio: Long-run share of hidden values, r in [0, 1].
        mean_mask_length: Mean length of a hidden run in time steps, l >= max(1, r / (1 - r)).
        mask_mode: `"separate"` draws a chain for each feature, `"concurrent"` one for all.

    Returns:
        `(batch_size, window_size, num_features)` bool, True = hidden.

    Raises:
        ValueError: If `mask_mode` is unknown or the pair of ratio and length is no Markov chain.

    Reference:
        Zerveas et al., "A Transformer-based framework for multivariate time series representation
        learning", KDD 2021, section 3.2.
    """
    shape = tf.convert_to_tensor(shape)
    chains = _chain_shape(shape, mask_mode)
    if masking_ratio <= 0:
        return tf.zeros(shape, tf.bool)
    if masking_ratio >= 1:
        return tf.ones(shape, tf.bool)
    to_kept = 1.0 / mean_mask_length
    to_hidden = to_kept * masking_ratio / (1.0 - masking_ratio)
    if mean_mask_length < 1 or to_hidden > 1 + 1e-9:  # 9 is enough for .9, whatever .9 / .1 is
        raise ValueError(
            f"no mask has runs of mean length {mean_mask_length} and a hidden share of "
            f"{masking_ratio}; expected mean_mask_length >= max(1, r / (1 - r))"
        )
    uniform = tf.random.stateless_uniform(chains, seed)  # (batch_size, window_size, chains)
    # From "kept" a step hides with probability to_hidden, from "hidden" it shows with to_kept. Put
    # the first range at the bottom of [0, 1) and the second at the top: where they overlap, both
    # states change.
    enters = uniform < to_hidden
    leaves = uniform >= 1.0 - to_kept
    constant = enters != leaves
    sign = tf.where(leaves, -1, 1)  # show and flip: -1; hide and stay: +1
    # The first step does not depend on any before it.
    first = tf.where(uniform[:, :1] < masking_ratio, 1, -1)
    constant = tf.concat([tf.ones_like(constant[:, :1]), constant[:, 1:]], axis=1)
    sign = tf.concat([first, sign[:, 1:]], axis=1)
    hidden = _scan_maps(constant, tf.cast(sign, tf.int8)) > 0
    return tf.broadcast_to(hidden, shape)


def random_mask(
    shape: tuple[int, int, int] | tf.Tensor,
    seed: tf.Tensor,
    *,
    masking_ratio: float = 0.15,
    mask_mode: str = "separate",
) -> tf.Tensor:
    """Draws independent (Bernoulli) masks.

    Args:
        shape: `(batch_size, window_size, num_features)`.
        seed: `(2,)` integers.
        masking_ratio: Probability of being hidden.
        mask_mode: `"separate"` draws for each value, `"concurrent"` for each time step.

    Returns:
        `(batch_size, window_size, num_features)` bool, True = hidden.
    """
    shape = tf.convert_to_tensor(shape)
    uniform = tf.random.stateless_uniform(_chain_shape(shape, mask_mode), seed)
    return tf.broadcast_to(uniform < masking_ratio, shape)


def draw_mask(
    shape: tuple[int, int, int] | tf.Tensor,
    seed: tf.Tensor,
    *,
    mask_type: str,
    masking_ratio: float,
    mean_mask_length: float,
    mask_mode: str,
) -> tf.Tensor:
    """Draws a mask of the named type: `"geometric"`, `"random"` or `"none"` (nothing hidden)."""
    if mask_type == "geometric":
        return geometric_mask(
            shape,
            seed,
            masking_ratio=masking_ratio,
            mean_mask_length=mean_mask_length,
            mask_mode=mask_mode,
        )
    if mask_type == "random":
        return random_mask(shape, seed, masking_ratio=masking_ratio, mask_mode=mask_mode)
    if mask_type == "none":
        return tf.zeros(shape, tf.bool)
    raise ValueError(f"mask_type is {mask_type!r}, expected geometric, random or none")


def apply_mask(windows: tf.Tensor, mask: tf.Tensor) -> tf.Tensor:
    """Replaces hidden values by 0, the train mean after scaling.

    Args:
        windows: `(batch_size, window_size, num_features)`.
        mask: Same shape, True = hidden.

    Returns:
        Same shape.
    """
    return tf.where(mask, tf.zeros_like(windows), windows)


def add_jitter(windows: tf.Tensor, seed: tf.Tensor, standard_deviation: float) -> tf.Tensor:
    """Adds independent normal noise; `standard_deviation` in units of the scaled values."""
    if standard_deviation == 0:
        return windows
    noise = tf.random.stateless_normal(tf.shape(windows), seed, stddev=standard_deviation)
    return windows + noise


def _chain_shape(shape: tf.Tensor, mask_mode: str) -> tf.Tensor:
    if mask_mode not in _MODES:
        raise ValueError(f"mask_mode is {mask_mode!r}, expected one of {', '.join(_MODES)}")
    return shape if mask_mode == "separate" else tf.stack([shape[0], shape[1], 1])


def _scan_maps(constant: tf.Tensor, sign: tf.Tensor) -> tf.Tensor:
    """Composes two-state maps over time (Hillis-Steele scan) and returns the states.

    Args:
        constant: `(batch_size, window_size, chains)` bool; True where the new state ignores the old
            one. The first step of every chain must be constant.
        sign: Same shape, int8. Constant maps: the new state, +1 or -1. Others: +1 stay, -1 flip.

    Returns:
        States +1 or -1, same shape, int8.
    """
    length = tf.shape(sign)[1]
    shift = tf.constant(1)

    def compose(shift, constant, sign):
        # Steps before the series began count as "stay".
        pad = [[0, 0], [shift, 0], [0, 0]]
        earlier_constant = tf.pad(constant[:, :-shift], pad)
        earlier_sign = tf.pad(sign[:, :-shift], pad, constant_values=1)
        sign = tf.where(constant, sign, sign * earlier_sign)
        return shift * 2, constant | earlier_constant, sign

    _, _, sign = tf.while_loop(
        lambda shift, *_: shift < length, compose, (shift, constant, sign), parallel_iterations=1
    )
    return sign
