"""The losses of both designs: pure functions of tensors, each a scalar mean over the batch."""

from __future__ import annotations

import tensorflow as tf


def reconstruction_loss(
    windows: tf.Tensor, reconstruction: tf.Tensor, mask: tf.Tensor, masked_weight: float = 0.0
) -> tf.Tensor:
    """Mean squared error of all points, of the hidden points, or a weighted sum of both.

    Args:
        windows: `(batch_size, window_size, num_features)` unmasked targets.
        reconstruction: Same shape.
        mask: Same shape, bool, True = hidden from the network.
        masked_weight: w in [0, 1]; the loss is (1 - w) * error of all + w * error of the hidden.

    Returns:
        Scalar. With nothing hidden, the error of the hidden points is 0.
    """
    if masked_weight == 0:
        # Its gradient is one multiplication; that of a mean of squares is four passes more.
        error = reconstruction - windows
        return 2.0 * tf.nn.l2_loss(error) / tf.cast(tf.size(error), error.dtype)
    squared = tf.math.squared_difference(windows, reconstruction)
    hidden = tf.cast(mask, squared.dtype)
    masked = tf.math.divide_no_nan(tf.reduce_sum(squared * hidden), tf.reduce_sum(hidden))
    return (1.0 - masked_weight) * tf.reduce_mean(squared) + masked_weight * masked


def discriminator_loss(real_logits: tf.Tensor, fake_logits: tf.Tensor) -> tf.Tensor:
    """-[log D(x) + log(1 - D(fake))], with D = sigmoid of the logits.

    Args:
        real_logits: `(batch_size, 1)` for real windows.
        fake_logits: `(any, 1)` for reconstructions or generated windows.

    Returns:
        Scalar; 2 log 2 = 1.386 for a discriminator that cannot tell.

    Reference:
        Goodfellow et al., "Generative adversarial nets", NeurIPS 2014, equation 1.

    Example:
        >>> round(float(discriminator_loss(tf.zeros([2, 1]), tf.zeros([2, 1]))), 4)
        1.3863
    """
    return tf.reduce_mean(tf.math.softplus(-real_logits)) + tf.reduce_mean(
        tf.math.softplus(fake_logits)
    )


def adversarial_loss(fake_logits: tf.Tensor) -> tf.Tensor:
    """-log D(fake), the generator's non-saturating form.

    Args:
        fake_logits: `(any, 1)`.

    Returns:
        Scalar.

    Reference:
        Goodfellow et al., NeurIPS 2014, section 3.
    """
    return tf.reduce_mean(tf.math.softplus(-fake_logits))


def contrastive_loss(
    projection_a: tf.Tensor, projection_b: tf.Tensor, temperature: float = 0.5
) -> tf.Tensor:
    """NT-Xent: each view shall be nearer to the other view of its window than to all others.

    For view i with partner j of 2B views: -log(exp(s_ij / t) / sum of exp(s_ik / t) over k != i),
    with s the cosine similarity and t the temperature; the mean over all 2B views.

    Args:
        projection_a: `(batch_size, projection_dim)` first views.
        projection_b: Same shape, second views of the same windows in the same order.
        temperature: t > 0.

    Returns:
        Scalar; log(2B - 1) if all views coincide.

    Reference:
        Chen et al., ICML 2020, equation 1.

    Example:
        >>> same = tf.ones([4, 3])
        >>> round(float(contrastive_loss(same, same)), 4)  # log 7
        1.9459
    """
    views = tf.concat([projection_a, projection_b], axis=0)  # (2 * batch_size, projection_dim)
    views = tf.math.l2_normalize(views, axis=1)
    similarity = tf.matmul(views, views, transpose_b=True) / temperature
    count = tf.shape(views)[0]
    # A view is no candidate for itself.
    similarity = tf.linalg.set_diag(similarity, tf.fill([count], similarity.dtype.min))
    partner = tf.math.floormod(tf.range(count) + count // 2, count)
    return tf.reduce_mean(
        tf.nn.sparse_softmax_cross_entropy_with_logits(labels=partner, logits=similarity)
    )
