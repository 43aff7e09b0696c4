"""Networks as functional Keras models. They know neither data nor losses."""

from tsad_keras.models.autoencoder import build_autoencoder
from tsad_keras.models.discriminator import build_discriminator
from tsad_keras.models.generator import build_generator
from tsad_keras.models.projection import build_projection_head

__all__ = [
    "build_autoencoder",
    "build_discriminator",
    "build_generator",
    "build_projection_head",
]
