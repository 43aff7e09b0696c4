"""Every notebook runs from top to bottom, and what is committed is what it gives."""

import re
from pathlib import Path

import pytest

import tsad_keras

nbformat = pytest.importorskip("nbformat")
nbclient = pytest.importorskip("nbclient")
pytest.importorskip("ipykernel")

FOLDER = Path(tsad_keras.__file__).parents[1] / "notebooks"
NOTEBOOKS = sorted(path.name for path in FOLDER.glob("*.ipynb"))
NAMES = [
    "01_quickstart.ipynb",
    "02_inside_the_model.ipynb",
    "03_evaluate_honestly.ipynb",
    "04_serve_it.ipynb",
]
LARGEST = 400_000  # bytes
LONGEST = 600  # seconds a cell: something hangs; on two idle cores a notebook takes half a minute


def read(name):
    return nbformat.read(FOLDER / name, as_version=4)


def outputs_of(notebook, kind):
    """All outputs with data of a type."""
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    return [output for output in outputs if kind in output.get("data", {})]


def sources_of(notebook, kind):
    return [cell.source for cell in notebook.cells if cell.cell_type == kind]


def test_all_notebooks_are_there():
    assert NOTEBOOKS == NAMES


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_a_notebook_is_committed_executed_and_small(name):
    notebook = read(name)
    nbformat.validate(notebook)
    assert (FOLDER / name).stat().st_size < LARGEST
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    outputs = [output for cell in code for output in cell.outputs]
    assert not [output for output in outputs if output.output_type == "error"]
    assert not [output for output in outputs if output.get("name") == "stderr"]
    assert outputs_of(notebook, "image/png")
    texts = [str(output.get("text", output.get("data"))) for output in outputs]
    assert not [text for text in texts if re.search(r"/(root|home|work|Users)/", text)]


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_the_links_of_a_notebook_lead_somewhere_and_the_list_has_it(name):
    prose = "\n".join(sources_of(read(name), "markdown"))
    targets = re.findall(r"\]\(([^)#]+)\)", prose)
    missing = [to for to in targets if ":" not in to and not (FOLDER / to).exists()]
    assert targets and missing == []
    assert f"({name})" in (FOLDER / "README.md").read_text()


def test_the_quickstart_takes_ten_lines():
    cells = sources_of(read(NAMES[0]), "code")
    (first,) = [cell for cell in cells if "ContrastiveGANDetector(" in cell]
    lines = [line for line in first.splitlines() if line.strip()]
    assert len(lines) <= 10
    assert len(outputs_of(read(NAMES[0]), "image/png")) == 3


@pytest.mark.slow
@pytest.mark.parametrize("name", NOTEBOOKS)
def test_a_notebook_runs(name, tmp_path, monkeypatch):
    # The interpreter of the tests, not a kernel of that name in the user's folder.
    monkeypatch.setenv("JUPYTER_PREFER_ENV_PATH", "1")
    monkeypatch.delenv("MPLBACKEND", raising=False)  # figures shall be outputs
    notebook = read(name)
    committed = len(outputs_of(notebook, "image/png"))
    client = nbclient.NotebookClient(
        notebook,
        timeout=LONGEST,
        kernel_name="python3",
        resources={"metadata": {"path": str(tmp_path)}},
    )
    client.execute()  # raises, with its traceback, what a cell raises
    assert len(outputs_of(notebook, "image/png")) == committed
    assert list(tmp_path.iterdir()) == [], "a notebook leaves files where it runs"
