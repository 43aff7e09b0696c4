"""The GradientTape step, the epoch loop, checkpoints and history."""

from tsad_keras.training.checkpoint import Checkpoint
from tsad_keras.training.distributed import DistributedStep, Distribution, WorkerLostError
from tsad_keras.training.history import History
from tsad_keras.training.optimizers import FusedAdamW
from tsad_keras.training.replicas import AveragedAdamW
from tsad_keras.training.step import AdversarialStep, LossWeights
from tsad_keras.training.trainer import Trainer, TrainingDivergedError

__all__ = [
    "AdversarialStep",
    "AveragedAdamW",
    "Checkpoint",
    "DistributedStep",
    "Distribution",
    "FusedAdamW",
    "History",
    "LossWeights",
    "Trainer",
    "TrainingDivergedError",
    "WorkerLostError",
]
