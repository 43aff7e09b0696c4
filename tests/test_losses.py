"""The losses, against values worked out in NumPy."""

import numpy as np
import pytest
import tensorflow as tf

from tsad_keras.losses import (
    adversarial_loss,
    contrastive_loss,
    discriminator_loss,
    reconstruction_loss,
)


def nt_xent_by_hand(first, second, temperature):
    """Chen et al., equation 1, one pair at a time."""
    views = [v / np.linalg.norm(v) for v in np.concatenate([first, second])]
    batch_size = len(first)
    losses = []
    for i, view in enumerate(views):
        j = i + batch_size if i < batch_size else i - batch_size
        candidates = [np.exp(view @ views[k] / temperature) for k in range(len(views)) if k != i]
        losses.append(-np.log(np.exp(view @ views[j] / temperature) / sum(candidates)))
    return np.mean(losses)


def sigmoid(values):
    return 1 / (1 + np.exp(-values))


@pytest.fixture
def projections():
    rng = np.random.default_rng(0)
    first = rng.normal(size=(6, 4)).astype("float32")
    return first, (first + rng.normal(0, 0.3, size=(6, 4))).astype("float32")


@pytest.mark.parametrize("temperature", [0.07, 0.5, 2.0])
def test_contrastive_loss_is_nt_xent(projections, temperature):
    value = float(contrastive_loss(*projections, temperature))
    assert value == pytest.approx(nt_xent_by_hand(*projections, temperature), rel=1e-5)


def test_contrastive_loss_of_a_pair_of_two_by_hand():
    # Two windows, orthogonal to each other, whose views coincide: s = 1 for the partner, 0 for the
    # two others.
    first = np.eye(2, dtype="float32")
    expected = -np.log(np.exp(1 / 0.5) / (np.exp(1 / 0.5) + 2))
    assert float(contrastive_loss(first, first, 0.5)) == pytest.approx(expected, rel=1e-6)


def test_contrastive_loss_is_lower_for_aligned_than_for_shuffled_views(projections):
    first, second = projections
    aligned, shuffled = contrastive_loss(first, second), contrastive_loss(first, second[::-1])
    assert float(aligned) < float(shuffled) - 0.5


def test_descending_the_contrastive_loss_brings_partners_together(projections):
    first, second = (tf.Variable(value) for value in projections)
    second.assign(tf.reverse(second, [0]))

    def similarity():
        a, b = (tf.math.l2_normalize(v, axis=1) for v in (first, second))
        return float(tf.reduce_mean(tf.reduce_sum(a * b, axis=1)))

    before = similarity()
    for _ in range(50):
        with tf.GradientTape() as tape:
            loss = contrastive_loss(first, second)
        for variable, gradient in zip(
            (first, second), tape.gradient(loss, [first, second]), strict=True
        ):
            variable.assign_sub(gradient)
    assert similarity() > before + 0.5


def test_contrastive_loss_ignores_lengths_and_survives_a_zero_vector(projections):
    first, second = projections
    scaled = contrastive_loss(first * 100, second * 0.01)
    assert float(scaled) == pytest.approx(float(contrastive_loss(first, second)), rel=1e-4)
    first = first.copy()
    first[0] = 0
    assert np.isfinite(float(contrastive_loss(first, second)))


def test_adversarial_and_discriminator_loss_are_the_logarithms():
    rng = np.random.default_rng(1)
    real, fake = rng.normal(size=(5, 1)), rng.normal(size=(8, 1))
    expected = -np.mean(np.log(sigmoid(real))) - np.mean(np.log(1 - sigmoid(fake)))
    assert float(discriminator_loss(real, fake)) == pytest.approx(expected, rel=1e-6)
    assert float(adversarial_loss(fake)) == pytest.approx(-np.mean(np.log(sigmoid(fake))), rel=1e-6)


def test_adversarial_losses_pull_in_opposite_directions_and_stay_finite():
    good, bad = tf.constant([[50.0]]), tf.constant([[-500.0]])
    assert float(discriminator_loss(good, bad)) < 1e-6
    assert float(discriminator_loss(bad, good)) == pytest.approx(550)
    assert float(adversarial_loss(good)) < 1e-6
    assert float(adversarial_loss(bad)) == pytest.approx(500)


@pytest.mark.parametrize("masked_weight", [0.0, 0.25, 1.0])
def test_reconstruction_loss_weighs_all_points_and_hidden_points(masked_weight):
    rng = np.random.default_rng(2)
    windows, reconstruction = rng.normal(size=(2, 3, 5, 2)).astype("float32")
    mask = rng.random((3, 5, 2)) < 0.3
    squared = (windows - reconstruction) ** 2
    expected = (1 - masked_weight) * squared.mean() + masked_weight * squared[mask].mean()
    value = float(reconstruction_loss(windows, reconstruction, mask, masked_weight))
    assert value == pytest.approx(expected, rel=1e-5)


def test_reconstruction_loss_with_nothing_hidden_is_zero_not_nan():
    windows = tf.ones((2, 3, 1))
    mask = tf.zeros((2, 3, 1), tf.bool)
    assert float(reconstruction_loss(windows, windows + 2.0, mask, 1.0)) == 0
    assert float(reconstruction_loss(windows, windows + 2.0, mask, 0.5)) == 2
    assert float(reconstruction_loss(windows, windows, ~mask, 0.5)) == 0
