"""The layout's rules, read off the source: who may import whom, print, see labels, load Keras."""

import ast
import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

import tsad_keras

PACKAGE = Path(tsad_keras.__file__).parent

# A module or sub-package of tsad_keras: its floor. A module imports only from floors below it, or
# from its own sub-package, or from the modules of its own floor (those may not form a circle).
FLOORS = {
    "alignment": 0,
    "config": 0,
    "children": 0,
    "errors": 0,
    "files": 0,
    "version": 0,
    "evaluation": 0,
    "datasets": 1,
    "calibration": 2,
    "scaling": 2,
    "windows": 2,
    "masking": 2,
    "starting": 2,
    "pipelines": 2,
    "models": 3,
    "losses": 4,
    "training": 4,
    "scoring": 5,
    "smoothing": 5,
    "levels": 5,
    "fusion": 5,
    "combination": 5,
    "thresholds": 5,
    "persistence": 5,
    "detector": 6,
    "inference": 6,
    "streaming": 6,
    "baselines": 6,
    "benchmark": 7,
    "fleet": 7,
    "report": 7,
    "plots": 7,
    "reporting": 7,
    "engines": 7,
    "export": 7,
    "estimator": 7,
    "serving": 7,
    "tuning": 7,
    "cli": 8,
    "flags": 8,
    "flag_groups": 8,
    "guide": 8,
    "commands": 8,
    "__main__": 8,
}
MAY_PRINT = ("cli", "commands", "__main__", "report", "reporting")
HEAVY = ("tensorflow", "keras")
LABEL_NAMES = {"y", "y_true", "labels", "label", "test_labels", "targets", "ground_truth", "events"}


def place(relative_path):
    """The name under which a file stands in FLOORS: its first folder, or its own name."""
    return relative_path.parts[0].removesuffix(".py")


def imported_names(tree, relative_path):
    """Dotted names of everything a module imports, wherever in the file, relative ones resolved."""
    package = ["tsad_keras", *relative_path.parts[:-1]]
    names = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = node.module.split(".") if node.module else []
            if node.level:
                base = package[: len(package) - node.level + 1] + base
            names += [".".join([*base, alias.name]) for alias in node.names]
        elif isinstance(node, ast.Call) and _is_import_of_a_name(node):
            names.append(str(node.args[0].value))
    return names


def _is_import_of_a_name(call):
    function = call.func
    name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
    return name == "import_module" and call.args and isinstance(call.args[0], ast.Constant)


def broken_rules(source, path):
    """What a file at `path` (relative to the package) does that its floor forbids."""
    relative_path = Path(path)
    own = place(relative_path)
    if own == "__init__":  # the package itself: lazy names only
        tree = ast.parse(source)
        return [
            f"{path} imports {name} at once, expected it among the lazy names"
            for name in imported_names(tree, relative_path)
            if name.startswith("tsad_keras.")
            and name.split(".")[1] not in ("errors", "version")
            and not _only_for_type_checking(tree, name)
        ]
    if own not in FLOORS:
        return [f"{path} has no floor: place {own!r} in FLOORS of tests/test_floors.py"]
    tree = ast.parse(source)
    floor = FLOORS[own]
    return [
        *_import_errors(tree, relative_path, own, floor),
        *_print_errors(tree, path, own),
        *_label_errors(tree, path, floor),
    ]


def _only_for_type_checking(tree, name):
    blocks = [
        node
        for node in tree.body
        if isinstance(node, ast.If) and getattr(node.test, "id", "") == "TYPE_CHECKING"
    ]
    guarded = [n for block in blocks for n in imported_names(block, Path("__init__.py"))]
    return name in guarded


def _import_errors(tree, relative_path, own, floor):
    for name in imported_names(tree, relative_path):
        parts = name.split(".")
        if parts[0] in HEAVY and (floor <= 1):
            yield f"{relative_path} (floor {floor}) imports {parts[0]}; only floors 2 and up may"
        if parts[0] != "tsad_keras" or len(parts) < 2 or parts[1].startswith("__version"):
            continue
        other = parts[1]
        if other not in FLOORS:
            yield f"{relative_path} imports {name}: place {other!r} in FLOORS, or import its module"
        elif FLOORS[other] > floor:
            yield f"{relative_path} (floor {floor}) imports {name} (floor {FLOORS[other]}) above it"
        elif other == "config" and own != "config" and floor < 6:
            yield f"{relative_path} (floor {floor}) imports Config; floors below 6 take arguments"


def _print_errors(tree, path, own):
    if own in MAY_PRINT:
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "print":
            yield f"{path}, line {node.lineno}: print in the library; use logging"


def _label_errors(tree, path, floor):
    if not 2 <= floor <= 6:
        return
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            arguments = node.args
            every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
            for argument in every:
                if argument.arg in LABEL_NAMES or argument.arg.endswith("_labels"):
                    yield (
                        f"{path}, line {node.lineno}: parameter {argument.arg!r}; labels never "
                        "enter floors 2 to 6"
                    )


def source_files():
    return sorted(path.relative_to(PACKAGE) for path in PACKAGE.rglob("*.py"))


@pytest.mark.parametrize("path", source_files(), ids=str)
def test_file_keeps_the_rules_of_its_floor(path):
    assert broken_rules((PACKAGE / path).read_text(encoding="utf-8"), path) == []


def test_no_two_modules_of_a_floor_import_each_other():
    edges = {}
    for path in source_files():
        own = place(path)
        tree = ast.parse((PACKAGE / path).read_text(encoding="utf-8"))
        for name in imported_names(tree, path):
            parts = name.split(".")
            if parts[0] == "tsad_keras" and len(parts) > 1 and parts[1] != own:
                edges.setdefault(own, set()).add(parts[1])
    circles = [(a, b) for a in edges for b in edges[a] if a < b and a in edges.get(b, ())]
    assert circles == []


@pytest.mark.parametrize(
    ("path", "source", "expected"),
    [
        ("windows.py", "from tsad_keras.detector import load_detector", "above it"),
        ("windows.py", "def f():\n    import tsad_keras.training.trainer", "above it"),
        ("models/layers.py", "from tsad_keras import losses", "above it"),
        ("models/layers.py", "from ..losses import contrastive_loss", "above it"),
        ("models/layers.py", "from .. import losses", "above it"),
        ("scaling.py", "import importlib\nimportlib.import_module('tsad_keras.cli')", "above it"),
        ("pipelines.py", "from tsad_keras.config import Config", "imports Config"),
        ("evaluation/point.py", "import tensorflow as tf", "imports tensorflow"),
        ("evaluation/point.py", "def f():\n    from keras import ops", "imports keras"),
        ("datasets/psm.py", "import keras.ops", "imports keras"),
        ("evaluation/vus.py", "from tsad_keras.masking import draw_mask", "above it"),
        ("detector.py", "def fit(X):\n    print(X)", "print in the library"),
        ("detector.py", "class D:\n    def fit(self, X, y=None): ...", "parameter 'y'"),
        ("thresholds.py", "def choose(scores, *, labels): ...", "parameter 'labels'"),
        ("training/trainer.py", "def fit(batches, test_labels): ...", "parameter 'test_labels'"),
        ("gadgets.py", "import json", "place 'gadgets' in FLOORS"),
        ("cli.py", "from tsad_keras import gadgets", "place 'gadgets' in FLOORS"),
        ("__init__.py", "from tsad_keras.detector import load_detector", "lazy"),
    ],
)
def test_the_checker_catches(path, source, expected):
    errors = broken_rules(source, path)
    assert len(errors) == 1
    assert expected in errors[0]


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("detector/fitting.py", "from tsad_keras.config import Config"),
        ("training/trainer.py", "from tsad_keras.losses import contrastive_loss"),
        ("training/trainer.py", "from .history import History"),
        ("pipelines.py", "import tensorflow as tf\nfrom tsad_keras.masking import apply_mask"),
        ("cli.py", "from tsad_keras import __version__\nprint(__version__)"),
        ("evaluation/point.py", "def f1_score(labels, predictions): ..."),
    ],
)
def test_the_checker_lets_pass(path, source):
    assert broken_rules(source, path) == []


@pytest.mark.parametrize("module", ["tsad_keras", "tsad_keras.evaluation", "tsad_keras.datasets"])
def test_floors_0_and_1_start_without_tensorflow(module):
    code = (
        f"import sys, {module}; import tsad_keras.config\n"
        "sys.exit(', '.join(m for m in ('tensorflow', 'keras') if m in sys.modules) or 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env={"PYTHONPATH": str(PACKAGE.parent), "PATH": ""},
        check=False,
    )
    assert done.returncode == 0, f"{module} loads {done.stderr}"


def test_every_file_is_where_python_finds_it():
    assert importlib.util.find_spec("tsad_keras.errors").origin == str(PACKAGE / "errors.py")
    assert len(source_files()) > 20
