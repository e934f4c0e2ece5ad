"""The notebook prints what is stored in it, and holds nothing of the machine it was run on."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

ROOT = Path(__file__).parents[1]
TOUR = ROOT / "examples" / "tour.ipynb"
MOST_BYTES = 400_000
METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}


def read() -> Any:
    return nbformat.read(TOUR, as_version=4)


def run(notebook: Any, folder: Path) -> None:
    """Execute all cells in ``folder``, in place; an exception in one is raised here."""
    resources = {"metadata": {"path": str(folder)}}
    client = NotebookClient(notebook, timeout=120, resources=resources, record_timing=False)
    client.execute()
    notebook.metadata = nbformat.from_dict(METADATA)
    for cell in notebook.cells:
        cell.metadata = {}


def texts(notebook: Any) -> dict[str, list[str]]:
    """What each code cell printed or returned, as text, by the cell's id."""
    return {
        cell.id: [
            output.text if output.output_type == "stream" else output.data["text/plain"]
            for output in cell.outputs
        ]
        for cell in notebook.cells
        if cell.cell_type == "code"
    }


@pytest.mark.slow
def test_the_tour_prints_what_is_stored_in_it(ngspice, tmp_path, request):
    """``--update-golden`` stores what it prints and draws now."""
    notebook, stored = read(), texts(read())
    run(notebook, tmp_path)
    if request.config.getoption("--update-golden"):
        nbformat.write(notebook, TOUR)
    else:
        assert texts(notebook) == stored
    assert (tmp_path / "tour.run" / "tour.html").is_file()
    figures = [o for c in notebook.cells for o in c.get("outputs", ()) if "image/png" in str(o)]
    assert len(figures) == 4


def test_the_stored_tour_is_whole_and_small():
    notebook = read()
    nbformat.validate(notebook)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    assert all(output.output_type != "error" for cell in code for output in cell.outputs)
    drawn = [o for c in code for o in c.outputs if "image/png" in o.get("data", ())]
    assert len(drawn) == 4
    assert TOUR.stat().st_size < MOST_BYTES


def test_six_cells_lead_from_a_shipped_model_to_the_yield_of_its_chips():
    code = [cell for cell in read().cells if cell.cell_type == "code"]
    assert 'ak.compile("mnist-d2"' in code[1].source
    assert "ak.montecarlo(" in code[5].source
    assert any("image/png" in output.get("data", ()) for output in code[5].outputs)


def test_the_stored_tour_says_nothing_of_a_machine():
    notebook = json.loads(TOUR.read_text(encoding="utf-8"))
    assert notebook["metadata"] == METADATA
    assert all(cell["metadata"] == {} for cell in notebook["cells"])
    for lines in texts(read()).values():
        for text in lines:
            assert not re.search(r"(^|[\s'\"(])(/|~|[A-Z]:\\)\w", text), text


@pytest.mark.parametrize("target", re.findall(r"\]\((\.\./[^)#]+)\)", TOUR.read_text("utf-8")))
def test_links_of_the_tour_lead_somewhere(target):
    assert (TOUR.parent / target).exists()
