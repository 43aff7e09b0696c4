"""What a step needs to know of other replicas of it; alone, everything here changes nothing.

A replica has an equal slice of the global batch, in the order of the replicas. These functions make
its losses and gradients those of the global batch.
"""

from __future__ import annotations

from collections.abc import Callable

import keras
import tensorflow as tf

from tsad_keras.training.optimizers import FusedAdamW


def gathered(values: tf.Tensor) -> tf.Tensor:
    """The rows of all replicas, in their order; gradients flow back to each.

    Args:
        values: `(batch_size / num_replicas, ...)` this replica's rows.

    Returns:
        `(batch_size, ...)`, the same on each replica.
    """
    context = tf.distribute.get_replica_context()
    if context is None or context.num_replicas_in_sync == 1:
        return values
    return context.all_gather(values, axis=0)


def normal_rows(count: tf.Tensor, width: int, seed: tf.Tensor) -> tf.Tensor:
    """This replica's share of random rows, which are drawn for all replicas with one seed.

    Args:
        count: Rows of this replica.
        width: Values a row.
        seed: `(2,)` int64.

    Returns:
        `(count, width)` standard normal; different on each replica.
    """
    context = tf.distribute.get_replica_context()
    replicas = 1 if context is None else context.num_replicas_in_sync
    if replicas == 1:
        return tf.random.stateless_normal([count, width], seed)
    rows = tf.random.stateless_normal([count * replicas, width], seed)
    first = tf.cast(context.replica_id_in_sync_group, count.dtype) * count
    return rows[first : first + count]


class AveragedAdamW(FusedAdamW):
    """`FusedAdamW` for replicas: averages gradients over them, then clips, then updates.

    Keras' optimizers clip the gradients of each replica by themselves and then sum them. With a
    loss that is a mean over the replica's slice, the mean of the gradients is that of the global
    batch, and its norm the one to clip.
    """

    def _clip_gradients(self, grads: list[tf.Tensor]) -> list[tf.Tensor]:
        context = tf.distribute.get_replica_context()
        if context is not None and context.num_replicas_in_sync > 1:
            grads = context.all_reduce(tf.distribute.ReduceOp.MEAN, grads)
        return super()._clip_gradients(grads)

    def _all_reduce_sum_gradients(self, grads_and_vars: list[tuple]) -> list[tuple]:
        return grads_and_vars  # they have been reduced before they were clipped


def fold_replica_into_dropout(network: keras.Model) -> None:
    """Lets the dropout layers of each replica draw masks of their own."""
    for layer in network._flatten_layers():
        generator = getattr(layer, "seed_generator", None)
        if generator is not None:
            generator.next = _folded(generator.next)


def _folded(draw: Callable) -> Callable:
    def next_seed(ordered: bool = True) -> tf.Tensor:
        seed = draw(ordered)
        context = tf.distribute.get_replica_context()
        if context is None:
            return seed
        replica = tf.cast(context.replica_id_in_sync_group, seed.dtype)
        return seed + tf.stack([replica * 1_000_003, tf.zeros_like(replica)])

    return next_seed
