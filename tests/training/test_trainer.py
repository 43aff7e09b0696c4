"""The epoch loop: on a scripted step, so that every decision can be forced; then on a real one."""

import math
from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf

from tsad_keras.errors import InputError
from tsad_keras.training import Checkpoint, History, Trainer, TrainingDivergedError

STEPS = 3


class ScriptedStep:
    """Adds 1 to its only weight at each step and tells the losses that it was told."""

    def __init__(self, validation, bad_step=None, bad_value=math.nan):
        self.weight = tf.Variable(0.0)
        self.step = tf.Variable(0, dtype=tf.int64)
        self.validation = validation
        self.bad_step, self.bad_value = bad_step, bad_value
        self.generator_optimizer = SimpleNamespace(learning_rate=0.1)
        self.discriminator_optimizer = SimpleNamespace(learning_rate=0.02)

    def train_step(self, batch):
        self.step.assign_add(1)
        self.weight.assign(float(batch))
        names = ("reconstruction", "contrastive", "adversarial", "discriminator", "generator")
        losses = {f"{name}_loss": tf.constant(float(batch) * 10) for name in names}
        if int(self.step) == self.bad_step:
            self.weight.assign(self.bad_value)
            losses["discriminator_loss"] = tf.constant(self.bad_value)
        return losses

    def validation_step(self, batch):
        return tf.constant(self.validation[int(self.step) // STEPS - 1])

    def named_variables(self):
        return {"step": self.step, "network/000": self.weight}


def run(step, epochs, checkpoint=None, history=None, **settings):
    trainer = Trainer(
        step,
        epochs=epochs,
        steps_per_epoch=STEPS,
        checkpoint=checkpoint,
        history=history,
        show_progress=False,
        **settings,
    )
    started = []

    def batches(first_step):
        started.append(first_step)
        return (float(n) for n in range(first_step + 1, epochs * STEPS + 1))

    trainer.first_steps = started
    trainer.fit(batches, [{"windows": np.zeros((4, 2, 1))}])
    return trainer


def test_weights_of_the_best_epoch_are_restored_not_the_last():
    step = ScriptedStep([5.0, 3.0, 4.0, 3.0])
    trainer = run(step, 4)
    assert trainer.best_epoch_ == 2
    assert float(step.weight) == 2 * STEPS
    assert len(trainer.history.rows) == 4


def test_stops_after_patience_epochs_without_a_better_value():
    step = ScriptedStep([5.0, 3.0, 3.5, 2.9, 4.0, 3.0, 1.0, 1.0])
    trainer = run(step, 8, early_stopping_patience=2)
    assert [row["epoch"] for row in trainer.history.rows] == [1, 2, 3, 4, 5, 6]
    assert (trainer.best_epoch_, float(step.weight)) == (4, 4 * STEPS)
    assert len(run(ScriptedStep([5.0] + [6.0] * 7), 8).history.rows) == 8  # patience 0 = never


def test_both_learning_rates_are_cut_after_patience_epochs():
    step = ScriptedStep([5.0, 6.0, 6.0, 4.0, 6.0, 6.0, 6.0, 6.0])
    trainer = run(step, 8, reduce_lr_patience=2, reduce_lr_factor=0.5)
    rates = [row["learning_rate"] for row in trainer.history.rows]
    # A row tells the rate with which its epoch was trained.
    assert rates == [0.1, 0.1, 0.1, 0.05, 0.05, 0.05, 0.025, 0.025]
    assert step.generator_optimizer.learning_rate == 0.0125
    assert step.discriminator_optimizer.learning_rate == pytest.approx(0.02 / 8)
    untouched = ScriptedStep([5.0] * 8)
    run(untouched, 8)
    assert untouched.generator_optimizer.learning_rate == 0.1


@pytest.mark.parametrize("value", [math.nan, math.inf])
@pytest.mark.parametrize(("bad_step", "kept"), [(1, 0), (2 * STEPS + 2, 2 * STEPS)])
def test_a_loss_that_is_not_finite_stops_with_the_last_good_weights(value, bad_step, kept):
    step = ScriptedStep([5.0, 4.0, 3.0], bad_step=bad_step, bad_value=value)
    epoch = (bad_step - 1) // STEPS + 1
    pattern = f"discriminator_loss became {value} in epoch {epoch}, step {bad_step}; .*lower learn"
    with pytest.raises(TrainingDivergedError, match=pattern) as caught:
        run(step, 3)
    assert float(step.weight) == kept
    assert ("the start" if kept == 0 else "epoch 2") in str(caught.value)
    assert isinstance(caught.value, InputError)


def test_a_validation_loss_that_is_not_finite_stops_too():
    step = ScriptedStep([5.0, math.nan, 3.0])
    with pytest.raises(
        TrainingDivergedError, match="val_reconstruction_loss became nan in epoch 2"
    ):
        run(step, 3)
    assert float(step.weight) == STEPS


def test_rows_hold_the_means_of_their_epoch(tmp_path):
    history = History(tmp_path / "history.csv")
    run(ScriptedStep([5.0, 3.0]), 2, history=history)
    assert [row["epoch"] for row in history.rows] == [1, 2]
    assert [row["reconstruction_loss"] for row in history.rows] == [20, 50]  # of 10..30 and 40..60
    assert [row["val_reconstruction_loss"] for row in history.rows] == [5, 3]
    for name in ("contrastive", "adversarial", "discriminator", "generator"):
        assert history.rows[1][f"{name}_loss"] == 50
    lines = (tmp_path / "history.csv").read_text().splitlines()
    assert len(lines) == 3
    assert lines[0].split(",") == list(history.rows[0])


class Interrupted(Exception):
    pass


class InterruptedCheckpoint(Checkpoint):
    """Stops the training just after so many saves."""

    left = 1

    def save(self, arrays, state):
        super().save(arrays, state)
        self.left -= 1
        if self.left == 0:
            raise Interrupted


VALIDATION = [5.0, 3.0, 4.0, 6.0, 2.0, 7.0]


def comparable(trainer):
    rows = [{k: v for k, v in row.items() if k != "seconds"} for row in trainer.history.rows]
    return rows, trainer.best_epoch_, float(trainer.step.weight)


@pytest.mark.parametrize("saves", [1, 2, 3, 4, 8])
def test_an_interrupted_training_goes_on_as_if_it_had_not_been(saves, tmp_path):
    whole = run(ScriptedStep(VALIDATION), 6, early_stopping_patience=3)
    path = tmp_path / "checkpoint.npz"
    checkpoint = InterruptedCheckpoint(path, "same")
    checkpoint.left = saves
    settings = {"checkpoint_steps": 2, "early_stopping_patience": 3}
    with pytest.raises(Interrupted):
        run(ScriptedStep(VALIDATION), 6, checkpoint, **settings)
    again = run(ScriptedStep(VALIDATION), 6, Checkpoint(path, "same"), **settings)
    assert again.first_steps == [2 * saves]
    assert comparable(again) == comparable(whole)


def test_a_finished_training_is_not_repeated(tmp_path):
    checkpoint = Checkpoint(tmp_path / "checkpoint.npz", "same")
    whole = run(ScriptedStep(VALIDATION), 6, checkpoint)
    again = run(ScriptedStep(VALIDATION), 6, checkpoint)
    assert again.first_steps == []
    assert comparable(again) == comparable(whole)


def test_a_checkpoint_is_written_by_steps_or_by_time(tmp_path):
    saved = []

    class Counting(Checkpoint):
        def save(self, arrays, state):
            saved.append(state["step"])

    checkpoint = Counting(tmp_path / "checkpoint.npz", "same")
    run(ScriptedStep([1.0] * 3), 3, checkpoint, checkpoint_steps=4, checkpoint_minutes=1e9)
    assert saved == [4, 8, 9]  # and at the end
    saved.clear()
    run(ScriptedStep([1.0] * 3), 3, checkpoint, checkpoint_steps=0, checkpoint_minutes=1e9)
    assert saved == [9]
    saved.clear()
    run(ScriptedStep([1.0] * 3), 3, checkpoint, checkpoint_steps=0, checkpoint_minutes=0)
    assert saved == list(range(1, 10))


def test_progress_goes_to_standard_error_with_losses_and_time_left(capsys):
    trainer = Trainer(ScriptedStep([5.0, 3.0]), epochs=2, steps_per_epoch=STEPS)
    trainer.fit(lambda first: iter([1.0] * 6), [{"windows": np.zeros((4, 2, 1))}])
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "epoch 2/2" in captured.err
    assert "rec=10.0000" in captured.err
    assert "val=3.0000" in captured.err
    run(ScriptedStep([5.0, 3.0]), 2)
    assert capsys.readouterr() == ("", "")


def test_a_real_training_learns_a_simple_series(make_bench):
    bench = make_bench(rate=1e-2)
    bench.epochs, bench.steps_per_epoch = 4, 10
    trainer = Trainer(bench.step, epochs=4, steps_per_epoch=10, show_progress=False)
    trainer.fit(bench.batches, bench.validation())
    rows = trainer.history.rows
    assert rows[-1]["reconstruction_loss"] < 0.6 * rows[0]["reconstruction_loss"]
    best = min(rows, key=lambda row: row["val_reconstruction_loss"])
    assert trainer.best_epoch_ == best["epoch"]
    values = [(float(bench.step.validation_step(b)), len(b["windows"])) for b in bench.validation()]
    mean = sum(value * size for value, size in values) / sum(size for _, size in values)
    assert mean == pytest.approx(best["val_reconstruction_loss"], rel=1e-5)


def test_a_diverging_real_training_keeps_finite_weights(make_bench):
    bench = make_bench(rate=1e30)
    trainer = Trainer(bench.step, epochs=4, steps_per_epoch=5, show_progress=False)
    with pytest.raises(TrainingDivergedError):
        trainer.fit(bench.batches, bench.validation())
    for network in bench.networks().values():
        for value in network.get_weights():
            assert np.isfinite(value).all()
