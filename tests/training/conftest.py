"""Tiny networks, steps and batches for the training tests."""

import random

import keras
import numpy as np
import pytest

from tsad_keras.models import (
    build_autoencoder,
    build_discriminator,
    build_generator,
    build_projection_head,
)
from tsad_keras.pipelines import training_pipeline, validation_pipeline
from tsad_keras.training import AdversarialStep, LossWeights

WINDOW, FEATURES = 12, 2
AUGMENTATION = {
    "mask_type": "geometric",
    "mask_mode": "separate",
    "masking_ratio": 0.3,
    "mean_mask_length": 2.0,
    "jitter": 0.0,
}


class Bench:
    """A step with its networks, and batches of a simple series."""

    def __init__(
        self, *, latent=False, dropout=0.0, seed=0, rate=1e-3, weight_decay=1e-4, **weights
    ):
        random.seed(seed)  # Keras draws initial weights from it
        small = {"patch_size": 3, "hidden_dim": 8, "num_heads": 2, "intermediate_dim": 16}
        self.autoencoder = build_autoencoder(WINDOW, FEATURES, dropout=dropout, **small)
        self.discriminator = build_discriminator(
            WINDOW, FEATURES, patch_size=3, discriminator_dim=8
        )
        self.projection_head = build_projection_head(8, projection_dim=4)
        self.latent_generator = (
            build_generator(WINDOW, FEATURES, latent_dim=3, **small) if latent else None
        )
        self.step = AdversarialStep(
            self.autoencoder,
            self.discriminator,
            self.projection_head,
            self.latent_generator,
            loss_weights=LossWeights(**weights),
            generator_optimizer=keras.optimizers.AdamW(rate, weight_decay=weight_decay),
            discriminator_optimizer=keras.optimizers.AdamW(rate / 2, weight_decay=weight_decay),
            seed=seed,
        )
        time = np.arange(300)
        self.series = np.stack([np.sin(time / 3), np.cos(time / 5)], axis=1).astype("float32")
        self.starts = np.arange(len(self.series) - WINDOW + 1)
        self.steps_per_epoch = 5
        self.epochs = 4

    def networks(self):
        found = {
            "autoencoder": self.autoencoder,
            "discriminator": self.discriminator,
            "projection_head": self.projection_head,
        }
        if self.latent_generator is not None:
            found["latent_generator"] = self.latent_generator
        return found

    def weights(self):
        return {
            name: b"".join(value.tobytes() for value in network.get_weights())
            for name, network in self.networks().items()
        }

    def batches(self, first_step=0):
        return training_pipeline(
            self.series,
            self.starts,
            window_size=WINDOW,
            batch_size=8,
            steps_per_epoch=self.steps_per_epoch,
            epochs=self.epochs,
            seed=1,
            first_step=first_step,
            **AUGMENTATION,
        )

    def validation(self):
        return validation_pipeline(
            self.series,
            self.starts[:30],
            window_size=WINDOW,
            batch_size=8,
            seed=1,
            **AUGMENTATION,
        )


@pytest.fixture
def make_bench():
    return Bench
