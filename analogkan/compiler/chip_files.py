"""A chip's deck, kept: the files of one circuit with its errors, which run by themselves.

It is no BUILD that is verified: what it was compiled from is the network, what it is is one chip.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ..files import write_text
from . import spice
from .circuit import Link
from .circuit_files import write_deck
from .converters import driven
from .deck import image0_volts

CHIP = "chip.json"
"""What says of a folder which chip of which network it is."""
CHIP_FORMAT = "analogkan-chip-1"


def image0_of(link: Link, temp_c: float) -> np.ndarray:
    """Voltages (1, I) that the chip's inputs have for the image that its design's deck shows."""
    volts = image0_volts(link.spec, link.design.hardware)[None]
    return driven(link.design, volts, np.zeros(1, int), temp_c)


def write_chip(
    link: Link, folder: Path, temp_c: float, title: str, notes: Sequence[str] = ()
) -> None:
    """Write the files of one circuit of a chip, at ``temp_c`` degrees Celsius, into ``folder``.

    ``title`` and ``notes`` stand above the circuit as comments, beside software's logits of image
    0.
    """
    design, spec = link.design, link.spec
    stimulus = spice.write_stimulus(design, image0_of(link, temp_c)[0])
    expected = spec.forward_volts(image0_volts(spec, design.hardware)[None])[0]
    top = spice.write_network(
        design, title, expected, targets=spec.targets, temp_c=temp_c, notes=notes
    )
    folder.mkdir(exist_ok=True)
    write_deck(design, folder, temp_c)
    write_text(folder / "stimulus.cir", stimulus)
    write_text(folder / "network.cir", top)
