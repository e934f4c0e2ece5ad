# pyright: strict
"""A table or figure of the paper by its name: what runs it, and what it is asked with."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from .. import resources

CURVES = ("fig1", "fig3", "fig4")
NOISE = ("fig8",)
CIRCUITS = ("circuits",)
FUNCTIONS = ("functions",)
NODES = ("nodes",)
NAMES = sorted(
    {*CURVES, *FUNCTIONS, *(path.stem for path in resources.path("paper").glob("*.toml"))}
)
WITHOUT = {"seeds": CURVES, "only": CURVES + NOISE, "quick": CURVES}
"""Where an option has no meaning."""
WHY = {
    "seeds": "nothing is trained",
    "only": "tables and circuits have rows to choose from",
    "quick": "it takes seconds",
}


def meaningless(name: str, options: Iterable[str]) -> str:
    """Which of the ``options`` given has no meaning for ``name``, and why; empty if none is so."""
    for option in options:
        if name in WITHOUT.get(option, ()):
            return f"{option} has no meaning for {name}: {WHY[option]}"
    return ""


def run_experiment(
    name: str,
    *,
    only: tuple[str, ...] = (),
    jobs: int = 1,
    on_epoch: Callable[[Any, int, Any], None],
    on_progress: Callable[[str, int, int], None],
    **given: Any,
) -> dict[str, Any]:
    """Run what is not kept yet of one of ``NAMES``; its rows, and the files that were made.

    Parameters
    ----------
    only
        Rows or data sets of a table or of circuits; families or data sets of nodes.
    jobs
        Simulations at a time.
    on_epoch
        Called with a row, its seed and the epoch, where a table trains.
    on_progress
        Called with what is done, how many are, and how many there are.
    given
        As for ``Request``.

    Raises
    ------
    AnalogKanError
        See ``run_table``, ``run_noise``, ``run_circuits``, ``run_nodes``.
    """
    if name in CURVES:
        return _curves(name, given["out"], given.get("command", ""))
    if name in NOISE:
        from .noise import NoiseRequest, run_noise

        return run_noise(NoiseRequest(name=name, jobs=jobs, **given), on_progress)
    if name in FUNCTIONS:
        from .functions import FunctionsRequest, run_functions

        request = FunctionsRequest(only=only, jobs=jobs, **given)
        return run_functions(request, on_progress)
    if name in NODES:
        from .nodes import NodesRequest, run_nodes

        return run_nodes(NodesRequest(only=only, jobs=jobs, **given), on_progress)
    from .rows import load_table
    from .run import PaperRequest, run_table

    if name not in CIRCUITS:
        request = PaperRequest(table=load_table(name), only=only, **given)
        return run_table(request, on_epoch=on_epoch)
    from .circuits import circuit_plan, run_circuits

    plan = circuit_plan(name, only, quick=given["quick"])
    wanted = tuple(row.name for row in plan.rows)
    given |= {"table": load_table(plan.table), "only": wanted, "seeds": 1}
    return run_circuits(
        PaperRequest(**given), name, jobs=jobs, on_epoch=on_epoch, on_progress=on_progress
    )


def _curves(name: str, out: Path, command: str) -> dict[str, Any]:
    from .curves import CURVES as MAKERS
    from .entries import write_rows
    from .request import Request

    rows, table = MAKERS[name](), out / f"{name}.csv"
    with Request(out=out, command=command).kept(name):
        write_rows(table, rows)
    return {"name": name, "rows": rows, "csv": str(table)}
