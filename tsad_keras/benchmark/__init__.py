"""Train, score, evaluate against other methods and report: one entity, or whole datasets.

Labels stay in this package: they go to `evaluation` and to the report, never to a method.
"""

from typing import Any

__all__ = ["reproduce", "reproduce_entity", "run_grid"]


def __getattr__(name: str) -> Any:
    """Imports a name when it is used, so that a worker without networks starts quickly."""
    if name in ("reproduce", "reproduce_entity"):
        from tsad_keras.benchmark import runs

        return getattr(runs, name)
    if name == "run_grid":
        from tsad_keras.benchmark.grid import run_grid

        return run_grid
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
