"""What replicas share, and what each has for itself: two virtual CPUs in a fresh process."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

import tsad_keras
from tsad_keras.training.replicas import AveragedAdamW, gathered, normal_rows

SCRIPT = """
import json, keras, numpy as np, tensorflow as tf
from tsad_keras.training import AveragedAdamW, Distribution
from tsad_keras.training.replicas import fold_replica_into_dropout, gathered, normal_rows

strategy = Distribution("mirrored", 2).strategy
rows = tf.reshape(tf.range(8.0), (4, 2))
with strategy.scope():
    weight = tf.Variable(2.0)
    layer = keras.layers.Dropout(0.5, seed=1)
    network = keras.Sequential([keras.Input((64,)), layer])
    variable = keras.Variable(np.zeros(2, "float32"))
    optimizer = AveragedAdamW(0.1, global_clipnorm=1.0, epsilon=1.0)
    optimizer.build([variable])
fold_replica_into_dropout(network)

@tf.function
def everything():
    def of_a_replica():
        context = tf.distribute.get_replica_context()
        replica = context.replica_id_in_sync_group
        own = rows[2 * replica : 2 * replica + 2]
        with tf.GradientTape() as tape:
            joined = gathered(own * weight)
            loss = tf.reduce_sum(joined**2)
        gradient = tape.gradient(loss, weight)
        noise = normal_rows(tf.constant(2), 3, tf.constant([4, 5], tf.int64))
        dropped = network(tf.ones((1, 64)), training=True)
        optimizer.apply([tf.gather([[6.0, 0.0], [0.0, 8.0]], replica)], [variable])
        return {"joined": joined, "gradient": gradient, "noise": noise, "dropped": dropped}
    return strategy.run(of_a_replica)

found = {
    name: [part.numpy().tolist() for part in strategy.experimental_local_results(value)]
    for name, value in everything().items()
}
found["variable"] = variable.numpy().tolist()
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def found():
    environment = {
        **os.environ,
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "PYTHONPATH": str(Path(tsad_keras.__file__).parents[1]),
    }
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], capture_output=True, text=True, env=environment, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout.splitlines()[-1])


def test_each_replica_sees_the_rows_of_all_in_their_order(found):
    expected = 2 * np.arange(8.0).reshape(4, 2)
    np.testing.assert_array_equal(found["joined"], [expected, expected])


def test_the_mean_of_the_gradients_is_that_of_the_whole(found):
    # the sum of (w x)^2 has the gradient 2 w sum(x^2)
    assert np.mean(found["gradient"]) == pytest.approx(2 * 2 * np.sum(np.arange(8.0) ** 2))


def test_random_rows_are_those_of_a_single_process_cut_in_two(found):
    whole = tf.random.stateless_normal([4, 3], [4, 5]).numpy()
    np.testing.assert_allclose(np.concatenate(found["noise"]), whole, rtol=1e-6)
    alone = normal_rows(tf.constant(4), 3, tf.constant([4, 5], tf.int64))
    np.testing.assert_allclose(alone, whole, rtol=1e-6)


def test_each_replica_drops_other_values(found):
    one, other = np.array(found["dropped"])
    assert (one != other).any() and {0.0, 2.0} == set(one.ravel()) == set(other.ravel())


def test_gradients_are_averaged_and_then_clipped(found):
    # mean of (6, 0) and (0, 8) is (3, 4), whose norm is 5: clipped to (0.6, 0.8)
    import keras

    variable = keras.Variable(np.zeros(2, "float32"))
    keras.optimizers.AdamW(0.1, epsilon=1.0).apply([tf.constant([0.6, 0.8])], [variable])
    np.testing.assert_allclose(found["variable"], variable.numpy(), rtol=1e-5)


def test_alone_nothing_changes():
    import keras

    rows = tf.ones((2, 3))
    assert gathered(rows) is rows
    ours, theirs = (keras.Variable(np.zeros(2, "float32")) for _ in range(2))
    for kind, variable in ((AveragedAdamW, ours), (keras.optimizers.AdamW, theirs)):
        kind(0.1, global_clipnorm=1.0, epsilon=1.0).apply([tf.constant([3.0, 4.0])], [variable])
    np.testing.assert_allclose(ours.numpy(), theirs.numpy(), rtol=1e-6)
