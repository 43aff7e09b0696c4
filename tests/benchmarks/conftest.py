"""Loads the scripts of `benchmarks/`, which is no package."""

import importlib.util
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"


@pytest.fixture(scope="session")
def load_script():
    """Function: name of a script, such as `"metrics"`, to its module."""

    def load(name):
        full_name = f"tsad_benchmark_{name}"
        if full_name not in sys.modules:
            specification = importlib.util.spec_from_file_location(
                full_name, BENCHMARKS / f"{name}.py"
            )
            module = importlib.util.module_from_spec(specification)
            sys.modules[full_name] = module  # dataclasses look their module up
            specification.loader.exec_module(module)
        return sys.modules[full_name]

    return load
