"""One training step of the contrastive GAN: forward, losses, two tapes, two optimizers."""

from __future__ import annotations

import dataclasses

import keras
import tensorflow as tf

from tsad_keras.losses import (
    adversarial_loss,
    contrastive_loss,
    discriminator_loss,
    reconstruction_loss,
)
from tsad_keras.training.replicas import gathered, normal_rows

Batch = dict[str, tf.Tensor]


@dataclasses.dataclass(frozen=True)
class LossWeights:
    """Weights of the loss terms; 0 switches a part off and leaves its networks untrained."""

    reconstruction_weight: float = 1.0
    contrastive_weight: float = 0.2
    adversarial_weight: float = 0.05
    contrastive_source: str = "discriminator"  # or "encoder": whose features are contrasted
    masked_weight: float = 0.0
    temperature: float = 0.5


class AdversarialStep:
    """Holds the networks and both optimizers, and runs the step.

    The autoencoder is the GAN's generator. If a latent generator is handed in (hybrid design), the
    fakes that the discriminator sees come from it instead of being reconstructions. The contrastive
    loss belongs to the discriminator's side, or to the generator's if it looks at the encoder.

    Args:
        autoencoder: Functional model as `build_autoencoder` makes it.
        discriminator: Functional model as `build_discriminator` makes it.
        projection_head: Functional model as `build_projection_head` makes it.
        latent_generator: Optional, as `build_generator` makes it.
        loss_weights: Weights and settings of the losses.
        generator_optimizer: Keras optimizer of the generator's side.
        discriminator_optimizer: Keras optimizer of the discriminator's side.
        seed: For the latent noise.
    """

    def __init__(
        self,
        autoencoder: keras.Model,
        discriminator: keras.Model,
        projection_head: keras.Model,
        latent_generator: keras.Model | None,
        *,
        loss_weights: LossWeights,
        generator_optimizer: keras.optimizers.Optimizer,
        discriminator_optimizer: keras.optimizers.Optimizer,
        seed: int = 0,
    ) -> None:
        self.autoencoder = autoencoder
        self.discriminator = discriminator
        self.projection_head = projection_head
        self.latent_generator = latent_generator
        self.loss_weights = loss_weights
        self.generator_optimizer = generator_optimizer
        self.discriminator_optimizer = discriminator_optimizer
        self.seed = seed
        self.step = tf.Variable(
            0,
            dtype=tf.int64,
            trainable=False,
            name="step",
            aggregation=tf.VariableAggregation.ONLY_FIRST_REPLICA,  # all replicas count the same
        )

        self.is_adversarial = loss_weights.adversarial_weight > 0
        self.is_contrastive = loss_weights.contrastive_weight > 0
        encoder_side = loss_weights.contrastive_source == "encoder"
        self.contrasts_encoder = self.is_contrastive and encoder_side
        self.contrasts_discriminator = self.is_contrastive and not encoder_side

        # The optimizers are built on fixed lists, so that a trace never creates a variable.
        # A network that no loss reaches is not on them: weight decay alone would change it.
        self.generator_variables = []
        self.discriminator_variables = []
        makes_fakes = self.is_adversarial and latent_generator is None
        if loss_weights.reconstruction_weight > 0 or self.contrasts_encoder or makes_fakes:
            self.generator_variables += autoencoder.trainable_variables
        if self.is_adversarial or self.contrasts_discriminator:
            self.discriminator_variables += discriminator.trainable_variables
        if self.contrasts_encoder:
            self.generator_variables += projection_head.trainable_variables
        if self.contrasts_discriminator:
            self.discriminator_variables += projection_head.trainable_variables
        if self.is_adversarial and latent_generator is not None:
            self.generator_variables += latent_generator.trainable_variables
        generator_optimizer.build(self.generator_variables)
        discriminator_optimizer.build(self.discriminator_variables)

    @tf.function(reduce_retracing=True, autograph=False)
    def train_step(self, batch: Batch) -> dict[str, tf.Tensor]:
        """Updates both sides once.

        Args:
            batch: `windows, view_a, view_b` (batch_size, window_size, num_features) float32 and
                `mask_a, mask_b` of the same shape, True = hidden.

        Returns:
            Scalars `reconstruction_loss, contrastive_loss, adversarial_loss, discriminator_loss,
            generator_loss` (the weighted sum), as they were before the update.
        """
        return self.update(batch)

    def update(self, batch: Batch) -> dict[str, tf.Tensor]:
        """As `train_step`, but to be traced by the caller: replicas must meet within one graph."""
        # 1 forward and losses, both sides on the same weights
        # 2 discriminator: its gradients -> its optimizer
        # 3 generator: its gradients -> its optimizer
        with tf.GradientTape() as discriminator_tape, tf.GradientTape() as generator_tape:
            losses = self.compute_losses(batch)

        if self.discriminator_variables:
            gradients = _gradients(
                discriminator_tape, losses["discriminator_total"], self.discriminator_variables
            )
            self.discriminator_optimizer.apply(gradients, self.discriminator_variables)

        if self.generator_variables:
            gradients = _gradients(
                generator_tape, losses["generator_loss"], self.generator_variables
            )
            self.generator_optimizer.apply(gradients, self.generator_variables)

        self.step.assign_add(1)
        losses.pop("discriminator_total")
        return losses

    def compute_losses(self, batch: Batch) -> dict[str, tf.Tensor]:
        """Runs the networks on both views and returns every loss, and the total of each side."""
        weights = self.loss_weights
        zero = tf.constant(0.0)
        losses = {"contrastive_loss": zero, "adversarial_loss": zero, "discriminator_loss": zero}

        # reconstruct both views of every window from what is not hidden
        views = tf.concat([batch["view_a"], batch["view_b"]], axis=0)  # (2 * batch_size, ...)
        masks = tf.concat([batch["mask_a"], batch["mask_b"]], axis=0)
        targets = tf.concat([batch["windows"], batch["windows"]], axis=0)
        encoded = self.autoencoder(views, training=True)
        losses["reconstruction_loss"] = reconstruction_loss(
            targets, encoded["reconstruction"], masks, weights.masked_weight
        )

        if self.is_adversarial:
            fakes = self._fakes(encoded["reconstruction"], tf.shape(batch["windows"])[0])
            real_logits = self.discriminator(batch["windows"], training=True)["logits"]
            fake_logits = self.discriminator(fakes, training=True)["logits"]
            losses["discriminator_loss"] = discriminator_loss(real_logits, fake_logits)
            losses["adversarial_loss"] = adversarial_loss(fake_logits)

        if self.is_contrastive:
            features = (
                encoded["embedding"]
                if self.contrasts_encoder
                else self.discriminator(views, training=True)["features"]
            )
            projections = self.projection_head(features, training=True)
            views_a, views_b = (gathered(part) for part in tf.split(projections, 2, axis=0))
            losses["contrastive_loss"] = contrastive_loss(views_a, views_b, weights.temperature)

        contrast = weights.contrastive_weight * losses["contrastive_loss"]
        losses["generator_loss"] = (
            weights.reconstruction_weight * losses["reconstruction_loss"]
            + (contrast if self.contrasts_encoder else 0.0)
            + weights.adversarial_weight * losses["adversarial_loss"]
        )
        losses["discriminator_total"] = losses["discriminator_loss"] + (
            contrast if self.contrasts_discriminator else 0.0
        )
        return losses

    @tf.function(reduce_retracing=True, autograph=False)
    def validation_step(self, batch: Batch) -> tf.Tensor:
        """Reconstruction loss of one masked view, scalar; nothing is learnt."""
        return self.evaluate(batch)

    def evaluate(self, batch: Batch) -> tf.Tensor:
        """As `validation_step`, but to be traced by the caller."""
        encoded = self.autoencoder(batch["view_a"], training=False)
        return reconstruction_loss(
            batch["windows"],
            encoded["reconstruction"],
            batch["mask_a"],
            self.loss_weights.masked_weight,
        )

    def _fakes(self, reconstruction: tf.Tensor, count: tf.Tensor) -> tf.Tensor:
        if self.latent_generator is None:
            return reconstruction
        latent_dim = self.latent_generator.input_shape[-1]
        seed = tf.stack([tf.constant(self.seed * 8 + 7, tf.int64), self.step])
        return self.latent_generator(normal_rows(count, latent_dim, seed), training=True)

    def named_variables(self) -> dict[str, tf.Variable]:
        """Everything that a resumed training needs: weights, optimizers, seeds, the step."""
        networks = [self.autoencoder, self.discriminator, self.projection_head]
        if self.latent_generator is not None:
            networks.append(self.latent_generator)
        named = {"step": self.step}
        for network in networks:
            for index, variable in enumerate(network.variables):
                named[f"{network.name}/{index:03d}/{variable.path}"] = variable.value
        optimizers = (self.generator_optimizer, self.discriminator_optimizer)
        for prefix, optimizer in zip(("generator", "discriminator"), optimizers, strict=True):
            for index, variable in enumerate(optimizer.variables):
                named[f"{prefix}_optimizer/{index:03d}"] = variable.value
        return named


def _gradients(tape: tf.GradientTape, loss: tf.Tensor, variables: list) -> list[tf.Tensor]:
    """Gradients of the loss; zeros for the variables that it does not reach."""
    # Zeros are made for TensorFlow's variables only, which Keras' ones wrap.
    return tape.gradient(
        loss,
        [variable.value for variable in variables],
        unconnected_gradients=tf.UnconnectedGradients.ZERO,
    )
