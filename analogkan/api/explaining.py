# pyright: strict
"""What a network has learned, as edges in the order of their importance."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from ..compiler.build import Build, load_build
from ..data import ImageSet
from ..network.measures import SPAN, format_value
from ..network.spec import NetworkSpec
from ..objects import as_path
from ..ours import require_marked
from ..resources import find_model
from ..results import Fact, Figure, Listing, Result
from ..studies.explain import Explained
from ..studies.explain import explain as explain_spec
from ..tables import Table, table_of
from ..text import percent, with_unit
from . import given
from .given import AnyPath

WANTED = "a model's name, a checkpoint's path, a BUILD or its folder, or a NetworkSpec"


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
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

    heading = "Edges"
    found: Explained

    def title(self) -> str:
        s = self.summary
        zero = f"{s['edges']:,} edges, {s['zero']:,} of them zero"
        return f"{s['model']}: {zero}, on {s['n']:,} inputs"

    def headline(self) -> list[Fact]:
        s = self.summary
        told = [Fact("diodes", self._diodes())]
        if s["top"]:
            first = s["top"][0]
            size = format_value(first["importance"], s["unit"])
            told.append(Fact("first", f"{first['from']} to {first['to']}", size))
        return told

    def facts(self) -> Listing:
        """An edge a row, the most important first."""
        s = self.summary
        unit, factor = s["unit"], 1
        if unit == SPAN:
            unit, factor = "% of span", 100
        told = s.get("ablation", {})
        head = ["edge", with_unit("importance", unit), "rms", *s["diodes"]]
        head += ["output changes"] if told else []
        lost = told.get("loss_unit", "")
        head += [with_unit("loss", unit if lost == SPAN else lost)] if "loss_unit" in told else []
        rows: list[list[str]] = []
        for edge in s["top"]:
            row = [f"{edge['from']} to {edge['to']}", f"{factor * edge['importance']:.3g}"]
            row.append(f"{edge['rms']:.3g}")
            row += [f"{100 * edge['diodes'].get(d, 0):.0f} %" for d in s["diodes"]]
            row += [f"{factor * edge['output_rms']:.3g}"] if "output_rms" in edge else []
            scale = factor if lost == SPAN else 1
            row += [f"{scale * edge['loss']:+.3g}"] if "loss" in edge else []
            rows.append(row + [""] * (len(head) - len(row)))
        return Listing(head, rows)

    def sentences(self) -> list[str]:
        told = [f"diodes, by what they contribute: {self._diodes()}"]
        a = self.summary.get("ablation")
        if a:
            said = f"{a['n']} edges were each replaced by their mean"
            if a["rank_correlation"] is not None:
                order = f"{a['rank_correlation']:.2f} (Spearman)"
                said += f": its order and that of importance correlate by {order}"
            told.append(said + (f"; loss on {a['images']['said']}" if "images" in a else ""))
        return told

    def _diodes(self) -> str:
        shares = self.summary["diodes"].items()
        return ", ".join(f"{name} {percent(share, 1)}" for name, share in shares)

    def figures(self) -> list[Figure]:
        from ..report.edges import edges_figure

        caption = "The most important edges: what each gives over what its source shows."
        return [Figure("edges", caption, partial(edges_figure, self.found))]

    def table(self) -> Table:
        """A row an edge, the most important first."""
        left = ("rows", "rms_of_rows", "diodes")
        rows = [
            {k: v for k, v in edge.items() if k not in left} | edge["diodes"]
            for edge in self.summary["top"]
        ]
        return table_of(rows)


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
    SettingsError
        If ``images`` are of no use: nothing is ablated, and the network has calibration inputs.
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
