"""Training on several replicas with `tf.distribute`: the same step on slices of the same batches.

Every worker draws the same global batches, windows and masks and keeps its replicas' slices, so
that step n learns from what it would learn from in a single process. Losses are means over equal
slices; contrasts are made with the views of all replicas; gradients are averaged, then clipped. So
weights differ from those of a single process by rounding only, unless there is dropout, whose masks
a replica draws for itself, or `masked_weight`, whose mean over hidden points is taken by slice.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import tensorflow as tf

from tsad_keras.errors import InputError
from tsad_keras.training.checkpoint import Checkpoint
from tsad_keras.training.clusters import be_patient, mirrored, place_in_cluster
from tsad_keras.training.replicas import fold_replica_into_dropout
from tsad_keras.training.step import AdversarialStep, Batch

logger = logging.getLogger(__name__)

STRATEGIES = ("mirrored", "multi-worker")
_LOST = (
    tf.errors.UnavailableError,
    tf.errors.AbortedError,
    tf.errors.CancelledError,
    tf.errors.DeadlineExceededError,
    tf.errors.InternalError,
)


class WorkerLostError(InputError):
    """Another worker of the training has gone; the chief's last checkpoint stays."""


class Distribution:
    """Several replicas of the networks that learn together.

    Args:
        kind: `"mirrored"`: replicas in this process, one a GPU, or `num_replicas` on the CPU.
            `"multi-worker"`: a replica in each of the processes that `TF_CONFIG` lists.
        num_replicas: Of `"mirrored"` on a CPU; default 2.

    Attributes:
        strategy: TensorFlow's object.
        num_replicas: In all workers.
        is_chief: Whether this process is the one that writes.

    Raises:
        InputError: If `TF_CONFIG` is missing or damaged, or TensorFlow is running already.
    """

    def __init__(self, kind: str, num_replicas: int | None = None) -> None:
        if kind not in STRATEGIES:
            raise InputError(f"strategy {kind!r} came, expected one of {', '.join(STRATEGIES)}")
        if kind == "mirrored":
            self.strategy = mirrored(num_replicas)
            self._worker, self._num_workers = 0, 1
        else:
            self._worker, self._num_workers = place_in_cluster(num_replicas)
            be_patient(self._num_workers)
            with lost_worker_is_one_line():
                self.strategy = tf.distribute.MultiWorkerMirroredStrategy()
        self.num_replicas = self.strategy.num_replicas_in_sync
        self.is_chief = self._worker == 0
        logger.info(
            "worker %d of %d, %d replicas in all",
            self._worker + 1,
            self._num_workers,
            self.num_replicas,
        )

    def check_batch_size(self, batch_size: int) -> None:
        """Raises `InputError` if a batch cannot be cut into equal slices."""
        if batch_size % self.num_replicas:
            raise InputError(
                f"batch_size {batch_size} is no multiple of the {self.num_replicas} replicas, "
                "expected equal slices; use --batch-size "
                f"{-(-batch_size // self.num_replicas) * self.num_replicas}"
            )

    def checkpoint(self, path: str | os.PathLike[str], fingerprint: str) -> Checkpoint:
        """The checkpoint that all workers begin from and the chief alone writes.

        Raises:
            InputError: If the workers have different data or settings, or not the same file.
        """
        self.check_agreement("their data or settings, expected the same", _number(fingerprint))
        path = Path(path)
        content = path.read_bytes() if path.is_file() else b""
        self.check_agreement(
            f"what they find in {path}, expected a folder that all of them share",
            _number(hashlib.sha256(content).hexdigest()),
        )
        kind = Checkpoint if self.is_chief else ReadOnlyCheckpoint
        return kind(path, fingerprint)

    def batches(
        self, make_batches: Callable[[int], tf.data.Dataset]
    ) -> Callable[[int], tf.data.Dataset]:
        """Makes of a function that gives global batches one that gives slices of the same."""
        local = self.num_replicas // self._num_workers
        first = self._worker * local

        def make_slices(first_step: int) -> tf.data.Dataset:
            def of_this_worker(context: tf.distribute.InputContext) -> tf.data.Dataset:
                return slices(make_batches(first_step), first, local, self.num_replicas)

            return self.strategy.distribute_datasets_from_function(of_this_worker)

        return make_slices

    def check_agreement(self, name: str, value: int) -> None:
        """Raises `InputError` on every worker if a number is not the same on all.

        Args:
            name: What the number is, with what to do about it.
            value: Any non-negative int below 2^62.
        """

        def highest_and_lowest() -> tuple[tf.Tensor, tf.Tensor]:
            context = tf.distribute.get_replica_context()
            found = context.all_gather(tf.constant([value], tf.int64), axis=0)
            return tf.reduce_max(found), tf.reduce_min(found)

        with lost_worker_is_one_line():
            both = self.strategy.run(tf.function(highest_and_lowest))
            high, low = (self.strategy.experimental_local_results(part)[0] for part in both)
        if int(high) != int(low):
            raise InputError(f"the workers differ in {name}")

    def wait_for_all(self) -> None:
        """Returns when every worker has come here."""
        self.check_agreement("their end; this is a fault of the program", 0)


class ReadOnlyCheckpoint(Checkpoint):
    """For workers that do not write."""

    def save(self, arrays: dict[str, np.ndarray], state: dict) -> None:
        """Does nothing."""

    def delete(self) -> None:
        """Does nothing."""


class DistributedStep:
    """An `AdversarialStep` that runs on all replicas at once, for a `Trainer`.

    Args:
        step: Made within `distribution.strategy.scope()`.
        distribution: The replicas.
    """

    def __init__(self, step: AdversarialStep, distribution: Distribution) -> None:
        self._step, self._strategy = step, distribution.strategy
        self.generator_optimizer = step.generator_optimizer
        self.discriminator_optimizer = step.discriminator_optimizer
        self.named_variables = step.named_variables
        networks = (step.autoencoder, step.discriminator, step.projection_head)
        for network in (*networks, step.latent_generator):
            if network is not None:
                fold_replica_into_dropout(network)

    @tf.function(reduce_retracing=True)
    def train_step(self, batch: Batch) -> dict[str, tf.Tensor]:
        """Updates both sides once; losses are means over the global batch."""
        losses = self._strategy.run(self._step.update, args=(batch,))
        return {name: self._mean(value) for name, value in losses.items()}

    @tf.function(reduce_retracing=True)
    def validation_step(self, batch: Batch) -> tf.Tensor:
        """As `AdversarialStep.validation_step`; the same number on every worker, to the last bit.

        Each replica computes all of it. The mean makes it one number even if workers have different
        processors, because they decide by it when to stop.
        """
        losses = self._strategy.run(self._step.evaluate, args=(batch,))
        return self._mean(losses)

    def _mean(self, values: tf.Tensor) -> tf.Tensor:
        return self._strategy.reduce(tf.distribute.ReduceOp.MEAN, values, axis=None)


def slices(batches: tf.data.Dataset, first: int, count: int, total: int) -> tf.data.Dataset:
    """Cuts each batch into `total` equal slices and gives `count` of them, from number `first`.

    Args:
        batches: Dicts of tensors `(batch_size, ...)`.
        first: The first slice, from 0.
        count: Slices of each batch; each becomes an element of its own.
        total: Divides the batch size.

    Returns:
        Dataset of dicts of tensors `(batch_size / total, ...)`.
    """

    def cut(batch: Batch) -> Batch:
        return {
            name: tf.reshape(value, (total, value.shape[0] // total, *value.shape[1:]))[
                first : first + count
            ]
            for name, value in batch.items()
        }

    return batches.map(cut).unbatch()


@contextlib.contextmanager
def lost_worker_is_one_line() -> Iterator[None]:
    """Turns what TensorFlow raises when another worker has gone into `WorkerLostError`."""
    try:
        yield
    except _LOST as error:
        reason = " ".join(str(error.message).split())[:160]
        raise WorkerLostError(
            f"another worker was lost or cannot be reached ({type(error).__name__}: {reason}); "
            "start all workers again with the same commands: they go on from the last checkpoint"
        ) from error


def _number(digest: str) -> int:
    """The first 60 bits of a hexadecimal hash."""
    return int(digest[:15], 16)
