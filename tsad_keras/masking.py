"""Augmentations as stateless, vectorised TensorFlow operations: same seed, same result.

A mask is boolean with `True` = hidden. Nothing loops over time.
"""

from __future__ import annotations

import math

import numpy as np
import tensorflow as tf

_WORD = 64  # bits that an operation treats at once
_ALL = np.int64(-1)  # a word of ones
_COPIES = np.int64(0x0101010101010101)  # times an octet: the octet in each of 8 octets
_ONE_BIT_EACH = np.int64(0x0102040810204080)  # its highest bit in the first octet, and so on
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

    The chain is sampled without a loop over time. At each step one uniform number picks one of the
    maps {hidden, kept} -> {hidden, kept}: "hide", "show", "stay" or "flip", with probabilities that
    give both transitions. Maps compose associatively, so a prefix scan of log2(window_size) rounds
    yields every state at once. 64 chains share a word, whose bits all operations treat at once.

    Probabilities are met to 0.4 % of their value at worst (0.07 % at the defaults): uniform numbers
    have so many binary digits, and random bits are half of the cost.

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
    num_digits = _digits(to_kept, to_hidden)
    batch_size, window_size, width = _sizes(chains)
    num_words = -(-(batch_size * width) // _WORD)
    uniform = _random_digits((window_size, num_words), num_digits, seed)
    # From "kept" a step hides with probability to_hidden, from "hidden" it shows with to_kept. Put
    # the first range at the bottom of [0, 1) and the second at the top: where they overlap, both
    # states change.
    enters = _below(uniform, to_hidden)
    stays_hidden = _below(uniform, 1.0 - to_kept)
    # A map ignores the old state where both states have the same successor: hide 1, show 0. Where
    # it depends on the old state: stay 0, flip 1.
    depends = tf.bitwise.bitwise_xor(enters, stays_hidden)
    # The first step does not depend on any before it.
    first = _below(uniform[:, :1], masking_ratio)
    nothing = tf.zeros((1, num_words), tf.int64)
    states = _scan_maps(
        tf.concat([nothing, depends[1:]], axis=0), tf.concat([first, enters[1:]], axis=0)
    )
    hidden = _unpacked(states)[:, : batch_size * width]
    hidden = tf.reshape(hidden, (window_size, batch_size, width))
    hidden = tf.transpose(hidden, (1, 0, 2))
    return hidden if mask_mode == "separate" else tf.broadcast_to(hidden, shape)


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
    kept = tf.cast(tf.logical_not(mask), windows.dtype)
    return tf.math.multiply_no_nan(windows, kept)  # a third of the time of tf.where


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


def _digits(*probabilities: float) -> int:
    """Binary digits that give the smallest probability to a relative 2^-8."""
    return 7 + math.ceil(-math.log2(min(probabilities)))


def _random_digits(shape: tuple, num_digits: int, seed: tf.Tensor) -> tf.Tensor:
    """Uniform numbers in [0, 1) in bits: word i holds digit i of 64 numbers, the last one first."""
    return tf.random.stateless_uniform(
        (num_digits, *shape), seed, minval=None, maxval=None, dtype=tf.int64
    )


def _below(digits: tf.Tensor, probability: float) -> tf.Tensor:
    """Which of the uniform numbers lie below a bound, in bits.

    Args:
        digits: `(num_digits, ...)` int64, as `_random_digits` makes them. A bit 1 counts as the
            digit 0: that saves a negation, and the law is the same.
        probability: The bound, rounded to as many digits.

    Returns:
        `(...)` int64.
    """
    bound = round(probability * 2 ** digits.shape[0])
    if bound == 2 ** digits.shape[0]:
        return tf.ones_like(digits[0]) * _ALL
    below = tf.zeros_like(digits[0])
    for index, digit in enumerate(tf.unstack(digits)):
        # From the last digit to the first: where a digit differs from the bound's, it decides.
        decide = tf.bitwise.bitwise_or if bound >> index & 1 else tf.bitwise.bitwise_and
        if bound % 2 ** (index + 1):  # all below is equal: nothing is less yet
            below = decide(below, digit)
    return below


def _sizes(shape: tf.Tensor) -> list[int | tf.Tensor]:
    """The entries of a shape: numbers where they are known while tracing."""
    sizes = [shape[axis] for axis in range(3)]
    known = [tf.get_static_value(size) for size in sizes]
    return [
        size if number is None else int(number) for size, number in zip(sizes, known, strict=True)
    ]


def _scan_maps(depends: tf.Tensor, value: tf.Tensor) -> tf.Tensor:
    """Composes two-state maps over time (Hillis-Steele scan) and returns the states.

    Args:
        depends: `(window_size, num_words)` int64; bit 0 where the new state ignores the old one.
            The first step of every chain must ignore it.
        value: Same shape. Maps that ignore the old state: the new one. Others: 0 stay, 1 flip.

    Returns:
        States in bits, same shape.
    """

    # Where a shift leads out of the series, the composed maps begin with the first step, which
    # ignores the old state: then it does not matter which row they are composed with.
    def compose(shift, depends, value):
        before = tf.maximum(tf.range(tf.shape(value)[0]) - shift, 0)
        return shift * 2, *_composed(before, depends, value)

    length = value.shape[0]
    if length is None:
        shapes = (tf.TensorShape(()), depends.shape, value.shape)
        _, _, value = tf.while_loop(
            lambda shift, *_: shift < tf.shape(value)[0], compose, (1, depends, value), shapes
        )
        return value
    for power in range((length - 1).bit_length()):
        before = np.maximum(np.arange(length, dtype=np.int32) - 2**power, 0)
        depends, value = _composed(before, depends, value)
    return value


def _composed(
    before: tf.Tensor | np.ndarray, depends: tf.Tensor, value: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """The map of each row after that of the row `before` it."""
    reaches = tf.bitwise.bitwise_and(depends, tf.gather(value, before))
    depends = tf.bitwise.bitwise_and(depends, tf.gather(depends, before))
    return depends, tf.bitwise.bitwise_xor(value, reaches)


def _unpacked(words: tf.Tensor) -> tf.Tensor:
    """`(rows, num_words)` int64 -> `(rows, 64 * num_words)` bool; in which order, does not matter.

    It is the same for every row, and the 64 chains of a word are exchangeable.
    """
    octets = tf.cast(tf.bitcast(words, tf.uint8), tf.int64)  # (rows, num_words, 8)
    # 8 bits at once, each left alone in an octet of its own: half the time of a table of octets.
    alone = tf.bitwise.bitwise_and(octets * _COPIES, _ONE_BIT_EACH)
    bits = tf.cast(tf.bitcast(alone, tf.uint8), tf.bool)  # (rows, num_words, 8, 8)
    return tf.reshape(bits, (tf.shape(words)[0], _WORD * tf.shape(words)[1]))
