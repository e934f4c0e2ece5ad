"""Sections of a report on the network and its circuit: diodes, crossbars, wires."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ..compiler.build import Build
from ..imperfections.make import perturb_chain
from ..results import Listing
from ..studies.dies import Die, die_of, has_places
from . import figures, maps
from .circuit import circuit_facts
from .exhibits import Exhibit, Section, worked_out
from .runs import Run

MOST_DRAWN = 2_000_000
"""Cells of a circuit whose conductances are drawn: of more, a picture's dot is many."""


def circuit_section(build: Build) -> Section:
    """What a reviewer asks first: the circuit's own figures, and the compiler's notes."""
    return Section(
        name="network",
        title="Network and circuit",
        table=Listing.of(circuit_facts(build)),
        lists=[] if build.deck is None else list(build.deck.design.notes),
    )


def build_sections(build: Build, runs: Sequence[Run]) -> list[Section]:
    """The network's diodes and its crossbars."""
    spec = build.spec
    found = list[Section]()
    if spec.calibration is not None and len(spec.calibration):
        volts = spec.dac_volts(spec.calibration)
        outside = spec.out_of_range(volts)
        found.append(
            Section(
                name="devices",
                title="Diodes and the voltages in use",
                words=[
                    f"{100 * outside:.2f} % of the hidden voltages leave a diode's range on the "
                    f"{len(volts)} training images that the network keeps to be calibrated with; "
                    "a model card has the share on test images."
                ],
                exhibits=[
                    Exhibit(
                        name="iv",
                        caption="I-V curves, and how often each voltage is used.",
                        figure=figures.use_figure(spec, volts),
                    )
                ],
            )
        )
    name, title = "conductances", "Conductances, tile by tile"
    return found + worked_out(name, title, lambda: _crossbars(build, runs))


def _wired(run: Run) -> bool:
    """Whether a Monte Carlo's chips had wires."""
    return run.kind == "montecarlo" and run.settings()[0].wired


def _crossbars(build: Build, runs: Sequence[Run]) -> list[Section]:
    """Conductances of the worst chip of the first Monte Carlo, or of the design; IR drop."""
    if build.summary["elements"]["crossbar_resistors"] > MOST_DRAWN:
        return []
    circuit, hardware = build.circuit(), build.hardware
    what, made, dies, source = "compiled", circuit, list[Section](), ""
    study = next((run for run in runs if run.kind == "montecarlo"), None)
    if study is not None and study.summary["worst_chip"] is not None:
        hardware, variation, conditions = study.settings()
        number = study.summary["worst_chip"]["sample"]
        seed = study.summary["seed"]
        circuit = circuit.mapped(hardware)
        what, source = f"chip {number}", study.named
        if has_places(variation):
            die = die_of(circuit, build.spec, variation, conditions, seed=seed, sample=number)
            made, dies = die.chip, [_section(die, source)]
        else:  # a board's has none: its parts are on no die
            made, _ = perturb_chain(circuit, variation, conditions, seed=seed, sample=number)
    wanted = [stage.g for stage in circuit.mapped(replace(hardware, levels=0)).stages]
    cells = [stage.g for stage in made.stages]
    rms = np.sqrt(
        np.mean(np.concatenate([(c - w).ravel() for c, w in zip(cells, wanted, strict=True)]) ** 2)
    )
    which = "the design" if made is circuit else f"{what}, the worst of its study"
    if study is not None and study.summary.get("calibration"):
        which += ", as it was made (before it was calibrated)"
    found = [
        Section(
            name="conductances",
            title="Conductances, tile by tile",
            words=[
                f"Pairs as the coefficients ask for them, as {which} has them, and the difference: "
                f"cells are off by {1e6 * rms:.3g} µS rms. Bias rows are the last ones of a layer."
            ],
            source=source,
            exhibits=[
                Exhibit(
                    name="conductances",
                    caption=f"Target, {what}, and error; a block is a tile.",
                    figure=maps.tile_figure(wanted, cells, hardware, what),
                )
            ],
        ),
        *dies,
    ]
    wired = next((run for run in runs if _wired(run)), None)
    if wired is not None and not hardware.wired:
        hardware = wired.settings()[0]
        cells = [stage.g for stage in circuit.mapped(hardware).stages]
    if hardware.wired:
        found.append(
            Section(
                name="wires",
                title="IR drop",
                source="" if wired is None else wired.named,
                words=[
                    f"Wires of {hardware.r_wire:g} ohm a segment, drivers of "
                    f"{hardware.r_driver:g} ohm, all rows at one voltage."
                ],
                exhibits=[
                    Exhibit(
                        name="ir-drop",
                        caption="Share of each cell's current that the wires leave.",
                        figure=maps.ir_drop_figure(cells, hardware),
                    )
                ],
            )
        )
    return found


def _section(die: Die, source: str) -> Section:
    """A chip on its floorplan."""
    return Section(
        name="die",
        title="The die",
        source=source,
        words=[f"{die.name.capitalize()}, {die.sentence()}."],
        exhibits=[
            Exhibit(
                name="die",
                caption="Errors of diodes and op-amps, and temperature, where the chip has them; "
                "types of diode alternate. Below, conductances, each layer in micrometres.",
                figure=die.figure(),
            )
        ],
    )
