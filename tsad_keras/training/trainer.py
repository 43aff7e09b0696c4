"""The epoch loop: progress, validation, early stopping, learning rates, resuming."""

from __future__ import annotations

import dataclasses
import logging
import math
import time
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from tqdm.auto import tqdm

from tsad_keras.errors import InputError
from tsad_keras.training.checkpoint import Checkpoint
from tsad_keras.training.history import History
from tsad_keras.training.step import AdversarialStep

logger = logging.getLogger(__name__)

# Short, so that a terminal of 80 columns shows the time left and (but for a digit) every loss.
_BAR_FORMAT = "{desc} {percentage:3.0f}%|{bar:4}| {elapsed}<{remaining}{postfix}"

_LOSS_NAMES = (
    "reconstruction_loss",
    "contrastive_loss",
    "adversarial_loss",
    "discriminator_loss",
    "generator_loss",
)


class TrainingDivergedError(InputError):
    """A loss became NaN or infinite; the networks hold the last good weights.

    Attributes:
        best_epoch: The epoch of those weights; 0 = the untrained ones.
    """

    best_epoch = 0


@dataclasses.dataclass
class _State:
    """What the loop itself remembers; everything here goes into the checkpoint."""

    step: int = 0
    sums: dict[str, float] = dataclasses.field(default_factory=dict)
    best_value: float = math.inf
    best_epoch: int = 0
    epochs_since_best: int = 0
    epochs_since_cut: int = 0
    seconds: float = 0.0


class Trainer:
    """Runs the steps of all epochs and leaves the best weights in the networks.

    Args:
        step: The networks, losses and optimizers.
        epochs: At most so many epochs.
        steps_per_epoch: Steps in each.
        early_stopping_patience: Stop after so many epochs without a better
            `val_reconstruction_loss`; 0 = never.
        reduce_lr_patience: Multiply both learning rates after so many; 0 = never.
        reduce_lr_factor: By this.
        checkpoint: Where to keep the training's state; optional.
        checkpoint_steps: Save at least every so many steps; 0 = only by time.
        checkpoint_minutes: And at least every so many minutes.
        history: Where the rows go.
        show_progress: Whether to draw a progress bar on standard error.

    Attributes:
        best_epoch_: The epoch (from 1) whose weights the networks hold after `fit`.
    """

    def __init__(
        self,
        step: AdversarialStep,
        *,
        epochs: int,
        steps_per_epoch: int,
        early_stopping_patience: int = 0,
        reduce_lr_patience: int = 0,
        reduce_lr_factor: float = 0.5,
        checkpoint: Checkpoint | None = None,
        checkpoint_steps: int = 0,
        checkpoint_minutes: float = 2.0,
        history: History | None = None,
        show_progress: bool = True,
    ) -> None:
        self.step = step
        self.epochs = epochs
        self.steps_per_epoch = steps_per_epoch
        self.early_stopping_patience = early_stopping_patience
        self.reduce_lr_patience = reduce_lr_patience
        self.reduce_lr_factor = reduce_lr_factor
        self.checkpoint = checkpoint
        self.checkpoint_steps = checkpoint_steps
        self.checkpoint_seconds = 60.0 * checkpoint_minutes
        self.history = history or History()
        self.show_progress = show_progress
        self.best_epoch_ = 0
        self._state = _State()
        self._best_weights: list[np.ndarray] = []

    def fit(
        self,
        make_training_batches: Callable[[int], tf.data.Dataset],
        validation_batches: tf.data.Dataset,
    ) -> Trainer:
        """Trains from the checkpoint, or from the beginning.

        Args:
            make_training_batches: Takes the number of the first step, returns the dataset of the
                batches from there to the end of the last epoch.
            validation_batches: The same windows and masks at each pass.

        Returns:
            self; the networks hold the weights of the best epoch.

        Raises:
            TrainingDivergedError: If a loss is not finite.
        """
        self._best_weights = self._weights()
        self._restore()
        state = self._state
        total = self.epochs * self.steps_per_epoch
        last_save = time.monotonic()
        with tqdm(
            total=total,
            initial=state.step,
            disable=not self.show_progress,
            bar_format=_BAR_FORMAT,
        ) as bar:
            bar.set_description(f"epoch {state.step // self.steps_per_epoch + 1}/{self.epochs}")
            batches = iter(make_training_batches(state.step)) if not self._is_over() else iter(())
            for batch in batches:
                began = time.perf_counter()
                self._one_step(batch)
                if state.step % self.steps_per_epoch == 0:
                    state.seconds += time.perf_counter() - began
                    self._end_epoch(validation_batches, bar)
                else:
                    state.seconds += time.perf_counter() - began
                bar.update(1)
                due_by_steps = self.checkpoint_steps and state.step % self.checkpoint_steps == 0
                due_by_time = time.monotonic() - last_save > self.checkpoint_seconds
                if due_by_steps or due_by_time or self._is_over():
                    self._save()
                    last_save = time.monotonic()
                if self._is_over():
                    break
        self._set_weights(self._best_weights)
        self.best_epoch_ = state.best_epoch
        return self

    def _one_step(self, batch: dict[str, tf.Tensor]) -> None:
        state = self._state
        losses = {name: float(value) for name, value in self.step.train_step(batch).items()}
        state.step += 1
        for name in _LOSS_NAMES:
            if not math.isfinite(losses[name]):
                self._diverged(name, losses[name])
            state.sums[name] = state.sums.get(name, 0.0) + losses[name]

    def _end_epoch(self, validation_batches: tf.data.Dataset, bar: tqdm) -> None:
        state = self._state
        epoch = state.step // self.steps_per_epoch
        row: dict[str, float] = {"epoch": epoch}
        row.update({name: state.sums[name] / self.steps_per_epoch for name in _LOSS_NAMES})
        row["val_reconstruction_loss"] = self._validate(validation_batches)
        row["learning_rate"] = _learning_rate(self.step.generator_optimizer)
        row["seconds"] = round(state.seconds, 3)
        state.sums, state.seconds = {}, 0.0
        value = row["val_reconstruction_loss"]
        if not math.isfinite(value):
            self._diverged("val_reconstruction_loss", value)
        self.history.append(row)
        if value < state.best_value:
            state.best_value, state.best_epoch = value, epoch
            state.epochs_since_best = state.epochs_since_cut = 0
            self._best_weights = self._weights()
        else:
            state.epochs_since_best += 1
            state.epochs_since_cut += 1
            self._maybe_cut_learning_rates()
        bar.set_description(f"epoch {min(epoch + 1, self.epochs)}/{self.epochs}")
        bar.set_postfix(
            {
                "rec": f"{row['reconstruction_loss']:.4f}",
                "val": f"{value:.4f}",
                "con": f"{row['contrastive_loss']:.2f}",
                "adv": f"{row['adversarial_loss']:.2f}",
                "dis": f"{row['discriminator_loss']:.2f}",
            }
        )

    def _validate(self, batches: tf.data.Dataset) -> float:
        weighted, count = 0.0, 0
        for batch in batches:
            size = int(batch["windows"].shape[0])
            weighted += float(self.step.validation_step(batch)) * size
            count += size
        return weighted / count

    def _maybe_cut_learning_rates(self) -> None:
        if not self.reduce_lr_patience:
            return
        if self._state.epochs_since_cut < self.reduce_lr_patience:
            return
        self._state.epochs_since_cut = 0
        for optimizer in (self.step.generator_optimizer, self.step.discriminator_optimizer):
            optimizer.learning_rate = _learning_rate(optimizer) * self.reduce_lr_factor

    def _is_over(self) -> bool:
        state = self._state
        patience = self.early_stopping_patience
        stopped_early = bool(patience) and state.epochs_since_best >= patience
        return state.step >= self.epochs * self.steps_per_epoch or stopped_early

    def _diverged(self, name: str, value: float) -> None:
        state = self._state
        self._set_weights(self._best_weights)
        epoch = (state.step - 1) // self.steps_per_epoch + 1
        kept = f"epoch {state.best_epoch}" if state.best_epoch else "the start"
        error = TrainingDivergedError(
            f"{name} became {value} in epoch {epoch}, step {state.step}; training stopped with the "
            f"weights of {kept}; lower learning_rate or gradient_clip_norm, and train again"
        )
        error.best_epoch = state.best_epoch
        raise error

    def _weights(self) -> list[np.ndarray]:
        return [variable.numpy() for variable in self._network_variables()]

    def _set_weights(self, weights: list[np.ndarray]) -> None:
        for variable, value in zip(self._network_variables(), weights, strict=True):
            variable.assign(value)

    def _network_variables(self) -> list[tf.Variable]:
        named = self.step.named_variables()
        return [
            value for name, value in named.items() if "_optimizer/" not in name and name != "step"
        ]

    def _save(self) -> None:
        if self.checkpoint is None:
            return
        arrays = {name: value.numpy() for name, value in self.step.named_variables().items()}
        for index, value in enumerate(self._best_weights):
            arrays[f"best/{index:03d}"] = value
        state: dict[str, Any] = dataclasses.asdict(self._state)
        state["best_value"] = repr(state["best_value"])  # JSON has no infinity
        state["rows"] = self.history.rows
        self.checkpoint.save(arrays, state)

    def _restore(self) -> None:
        found = self.checkpoint.load() if self.checkpoint is not None else None
        if found is None:
            return
        arrays, state = found
        for name, variable in self.step.named_variables().items():
            variable.assign(arrays[name])
        self._best_weights = [
            arrays[f"best/{index:03d}"] for index in range(len(self._best_weights))
        ]
        self.history.restore(state.pop("rows"))
        state["best_value"] = float(state["best_value"])
        self._state = _State(**state)
        logger.info("resuming at step %d from %s", self._state.step, self.checkpoint.path)


def _learning_rate(optimizer: keras.optimizers.Optimizer) -> float:
    rate = optimizer.learning_rate
    rate = getattr(rate, "value", rate)  # Keras wraps TensorFlow's variable
    return float(rate.numpy() if hasattr(rate, "numpy") else rate)  # replicas' know no float()
