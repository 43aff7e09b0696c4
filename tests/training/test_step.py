"""One step: which network learns from which loss, and that the losses are the right ones."""

import numpy as np
import pytest
import tensorflow as tf

from tsad_keras import losses

pytestmark = pytest.mark.filterwarnings("ignore:Even though")  # tf.data stays a graph, as it may


def first_batch(bench):
    return next(iter(bench.batches()))


def changed(bench, steps=1):
    """Names of the networks that training changes."""
    before = bench.weights()
    for batch in bench.batches().take(steps):
        bench.step.train_step(batch)
    after = bench.weights()
    return {name for name in before if before[name] != after[name]}


@pytest.mark.usefixtures("eagerly")
def test_a_step_updates_generator_discriminator_and_projection_head(make_bench):
    assert changed(make_bench()) == {"autoencoder", "discriminator", "projection_head"}


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"adversarial_weight": 0}, {"autoencoder", "discriminator", "projection_head"}),
        ({"contrastive_weight": 0}, {"autoencoder", "discriminator"}),
        ({"adversarial_weight": 0, "contrastive_weight": 0}, {"autoencoder"}),
        (
            {"reconstruction_weight": 0},
            {"autoencoder", "discriminator", "projection_head"},  # still the GAN's generator
        ),
        (
            {"reconstruction_weight": 0, "adversarial_weight": 0},
            {"discriminator", "projection_head"},
        ),
        ({"contrastive_weight": 0, "reconstruction_weight": 0}, {"autoencoder", "discriminator"}),
        (
            {"latent": True},
            {"autoencoder", "discriminator", "projection_head", "latent_generator"},
        ),
        (
            {"latent": True, "contrastive_source": "encoder", "adversarial_weight": 0},
            {"autoencoder", "projection_head"},
        ),
        (
            {"latent": True, "contrastive_source": "encoder", "contrastive_weight": 0},
            {"autoencoder", "discriminator", "latent_generator"},
        ),
        (
            {"latent": True, "reconstruction_weight": 0},
            {"discriminator", "projection_head", "latent_generator"},
        ),
        (
            {"latent": True, "contrastive_source": "encoder", "reconstruction_weight": 0},
            {"autoencoder", "discriminator", "projection_head", "latent_generator"},
        ),
    ],
    ids=lambda value: "-".join(f"{k}={v}" for k, v in value.items()) if type(value) is dict else "",
)
@pytest.mark.usefixtures("eagerly")
def test_a_weight_of_zero_leaves_what_it_alone_trains_bit_identical(make_bench, settings, expected):
    assert changed(make_bench(**settings)) == expected


def gradients(bench, total, network):
    with tf.GradientTape() as tape:
        value = bench.step.compute_losses(first_batch(bench))[total]
    found = tape.gradient(value, network.trainable_variables)
    return [0.0 if g is None else float(tf.reduce_max(tf.abs(g))) for g in found]


def test_contrastive_gradient_reaches_the_discriminator_and_not_the_encoder(make_bench):
    bench = make_bench(adversarial_weight=0, reconstruction_weight=0)
    assert max(gradients(bench, "discriminator_total", bench.discriminator)) > 0
    assert max(gradients(bench, "discriminator_total", bench.projection_head)) > 0
    assert max(gradients(bench, "generator_loss", bench.autoencoder)) == 0


def test_contrastive_gradient_of_the_hybrid_reaches_the_encoder_only(make_bench):
    bench = make_bench(
        latent=True, contrastive_source="encoder", adversarial_weight=0, reconstruction_weight=0
    )
    assert max(gradients(bench, "generator_loss", bench.autoencoder)) > 0
    assert max(gradients(bench, "generator_loss", bench.projection_head)) > 0
    assert max(gradients(bench, "discriminator_total", bench.discriminator)) == 0


def test_adversarial_gradient_reaches_the_networks_that_make_the_fakes(make_bench):
    plain = make_bench(reconstruction_weight=0, contrastive_weight=0)
    assert max(gradients(plain, "generator_loss", plain.autoencoder)) > 0
    hybrid = make_bench(latent=True, reconstruction_weight=0, contrastive_weight=0)
    assert max(gradients(hybrid, "generator_loss", hybrid.latent_generator)) > 0
    assert max(gradients(hybrid, "generator_loss", hybrid.autoencoder)) == 0


@pytest.mark.usefixtures("eagerly")
def test_losses_are_those_of_the_method(make_bench):
    weights = {
        "reconstruction_weight": 0.7,
        "contrastive_weight": 0.3,
        "adversarial_weight": 0.2,
        "masked_weight": 0.4,
        "temperature": 0.9,
    }
    bench = make_bench(**weights)
    batch = first_batch(bench)
    reconstructions = {
        view: bench.autoencoder(batch[f"view_{view}"], training=False)["reconstruction"]
        for view in "ab"
    }
    features = {
        view: bench.discriminator(batch[f"view_{view}"], training=False)["features"]
        for view in "ab"
    }
    both = tf.concat(list(reconstructions.values()), axis=0)
    real = bench.discriminator(batch["windows"], training=False)["logits"]
    fake = bench.discriminator(both, training=False)["logits"]
    expected = {
        "reconstruction_loss": losses.reconstruction_loss(
            tf.concat([batch["windows"]] * 2, axis=0),
            both,
            tf.concat([batch["mask_a"], batch["mask_b"]], axis=0),
            0.4,
        ),
        "contrastive_loss": losses.contrastive_loss(
            *(bench.projection_head(features[view]) for view in "ab"), 0.9
        ),
        "adversarial_loss": losses.adversarial_loss(fake),
        "discriminator_loss": losses.discriminator_loss(real, fake),
    }
    expected["generator_loss"] = (
        0.7 * expected["reconstruction_loss"] + 0.2 * expected["adversarial_loss"]
    )
    found = bench.step.train_step(batch)
    assert sorted(found) == sorted(expected)
    for name, value in expected.items():
        assert float(found[name]) == pytest.approx(float(value), rel=1e-4), name


@pytest.mark.usefixtures("eagerly")
def test_generator_loss_of_the_hybrid_has_all_three_terms(make_bench):
    bench = make_bench(
        latent=True,
        contrastive_source="encoder",
        reconstruction_weight=0.7,
        contrastive_weight=0.3,
        adversarial_weight=0.2,
    )
    found = {n: float(v) for n, v in bench.step.train_step(first_batch(bench)).items()}
    expected = (
        0.7 * found["reconstruction_loss"]
        + 0.3 * found["contrastive_loss"]
        + 0.2 * found["adversarial_loss"]
    )
    assert found["generator_loss"] == pytest.approx(expected, rel=1e-5)


def test_discriminator_learns_to_tell_and_the_generator_to_deceive(make_bench):
    bench = make_bench(contrastive_weight=0, adversarial_weight=1e-9, rate=5e-3)
    bench.epochs = 12
    found = [bench.step.train_step(batch) for batch in bench.batches()]
    values = [float(losses["discriminator_loss"]) for losses in found]
    assert np.mean(values[-5:]) < np.mean(values[:5]) - 0.1
    # Only the adversarial term trains now: fakes become more real in the discriminator's eyes.
    deceiver = make_bench(
        latent=True, contrastive_weight=0, reconstruction_weight=0, adversarial_weight=1, rate=5e-3
    )
    deceiver.step.discriminator_optimizer.learning_rate = 0.0
    deceiver.epochs = 12
    found = [deceiver.step.train_step(batch) for batch in deceiver.batches()]
    values = [float(losses["adversarial_loss"]) for losses in found]
    assert np.mean(values[-5:]) < np.mean(values[:5]) - 0.1


@pytest.mark.usefixtures("eagerly")
def test_latent_noise_differs_from_step_to_step_and_repeats_with_the_seed(make_bench):
    first, second = (make_bench(latent=True, rate=1e-9) for _ in range(2))
    batch = first_batch(first)
    one, two = (float(first.step.train_step(batch)["adversarial_loss"]) for _ in range(2))
    assert one != two
    assert float(second.step.train_step(batch)["adversarial_loss"]) == one


def test_validation_learns_nothing_and_switches_dropout_off(make_bench):
    bench = make_bench(dropout=0.5)
    before = bench.weights()
    batch = next(iter(bench.validation()))
    values = {float(bench.step.validation_step(batch)) for _ in range(3)}
    assert len(values) == 1
    assert bench.weights() == before
    reconstruction = bench.autoencoder(batch["view_a"], training=False)["reconstruction"]
    expected = float(tf.reduce_mean((batch["windows"] - reconstruction) ** 2))
    assert values.pop() == pytest.approx(expected, rel=1e-5)


def test_named_variables_are_all_that_a_step_changes(make_bench):
    """Set back to what they were, they make the same step again, bit for bit."""
    bench = make_bench(latent=True, dropout=0.3)
    batches = list(bench.batches().take(4))
    for batch in batches[:2]:
        bench.step.train_step(batch)
    kept = {name: value.numpy() for name, value in bench.step.named_variables().items()}

    def go_on():
        for batch in batches[2:]:
            bench.step.train_step(batch)
        return bench.weights()

    first = go_on()
    for name, variable in bench.step.named_variables().items():
        variable.assign(kept[name])
    assert go_on() == first


def test_a_step_is_traced_once(make_bench):
    bench = make_bench()
    for batch in bench.batches().take(4):
        bench.step.train_step(batch)
    assert bench.step.train_step.experimental_get_tracing_count() == 1
