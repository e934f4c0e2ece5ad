# pyright: strict
"""What a network has learned, as edges in the order of their importance."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..compiler.build import Build, load_build
from ..data import ImageSet
from ..network.spec import NetworkSpec
from ..objects import Facts, as_path
from ..ours import require_marked
from ..resources import find_model
from ..studies.explain import Explained
from ..studies.explain import explain as explain_spec
from ..text import percent
from . import given
from .given import AnyPath
from .results import Result
from .tables import Table, table_of

if TYPE_CHECKING:
    from ..report.figures import Figure

WANTED = "a model's name, a checkpoint's path, a BUILD or its folder, or a NetworkSpec"


@dataclass(frozen=True, eq=False, repr=False)
class Explanation(Result):
    """What ``explain`` found.

    Attributes
    ----------
    summary
        The figures: ``edges`` and ``zero`` (those that were pruned), ``diodes`` (the share of each
        type), ``top`` (the most important edges), ``ablation``.
    found
        Every edge, as arrays.
    """

    summary: dict[str, Any]
    found: Explained

    def _described(self) -> tuple[str, Facts]:
        s = self.summary
        first = s["top"][0] if s["top"] else None
        facts = [
            ("edges", f"{s['edges']:,}, {s['zero']:,} of them zero"),
            ("diodes", diodes_said(s["diodes"])),
        ]
        if first is not None:
            size = f"{first['importance']:.3g} {s['unit']}".strip()
            facts.append(("first", f"{first['from']} to {first['to']}, {size}"))
        return f"of {s['model']} on {s['n']:,} inputs", facts

    def table(self) -> Table:
        """A row an edge, the most important first."""
        left = ("rows", "rms_of_rows", "diodes")
        rows = [
            {k: v for k, v in edge.items() if k not in left} | edge["diodes"]
            for edge in self.summary["top"]
        ]
        return table_of(rows)

    def _figure(self) -> Figure:
        from ..report.edges import edges_figure

        return edges_figure(self.found)


def explain(
    model: Any,
    images: ImageSet | None = None,
    *,
    top: int = 20,
    ablate: int = 0,
    plot: AnyPath | None = None,
) -> Explanation:
    """The edges of a network in the order of their importance.

    An edge is what one source (an input with all of its DACs, or a hidden node) gives to one output
    of its layer. Its importance is the rms of that about its mean, on the network's calibration
    inputs, as far as it reaches the network's outputs; in logits, or the target's unit.

    Parameters
    ----------
    model
        The name of a shipped model, the path of a checkpoint, a BUILD or its folder, or a
        ``NetworkSpec``.
    images
        What the loss of an ablation is measured on; for a network without calibration inputs, also
        what edges are weighed on.
    top
        How many edges ``summary`` and ``table()`` have.
    ablate
        Replace each of so many first edges by its mean, and say what that changes.
    plot
        A PNG, SVG or PDF file to draw the first 12 edges into.

    Raises
    ------
    CheckpointError, NetlistError
        If the model cannot be read, or has convolutions.
    DataError
        If there are no inputs to weigh edges on, or ``images`` are not what the network answers to.
    AnalogKanError
        If what is in the way of ``plot`` is no picture of ours.

    Examples
    --------
    >>> found = ak.explain("mnist-d2", top=5, ablate=5)
    >>> found.summary["edges"]
    13184
    """
    given.check_whole(top=top, ablate=ablate)
    if images is not None:
        given.image_set(images)
    path = given.optional_path(plot, "plot")
    if path is not None:
        require_marked(path, give="--plot")
    found = explain_spec(spec_of(model), images=images, top=top, ablate=ablate)
    if path is not None:
        from ..report.edges import edges_figure
        from ..report.figures import save

        save(edges_figure(found), path)
    return Explanation(summary=found.summary, found=found)


def spec_of(model: AnyPath | Build | NetworkSpec) -> NetworkSpec:
    """The network of what ``explain`` takes."""
    if isinstance(model, NetworkSpec):
        return model
    if isinstance(model, Build):
        return model.spec
    path = as_path(model, "model", WANTED)
    if Path(path).is_dir():
        return load_build(path).spec
    from ..network.checkpoint import load_spec

    return load_spec(find_model(path))


def diodes_said(shares: dict[str, float]) -> str:
    """``A21 60 %, Z21 40 %``."""
    return ", ".join(f"{name} {percent(share, 1)}" for name, share in shares.items())
