"""Train, score, evaluate against the baselines and report: one entity, or a whole dataset.

Labels stay in this package: they go to `evaluation` and to the report, never to a method.
"""

from tsad_keras.benchmark.runs import reproduce, reproduce_entity

__all__ = ["reproduce", "reproduce_entity"]
