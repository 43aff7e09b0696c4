"""A model for each of many entities: trained in parallel processes, resumable, one row each."""

from tsad_keras.fleet.run import train_fleet

__all__ = ["train_fleet"]
