"""Training through the twin: every batch goes through a whole virtual chip.

Forwards a batch's answer is exactly that of a chip of the network as it then is: mapped, drawn,
trimmed, at its temperature, behind its wires. Backwards, mapping is taken as the straight line it
is between two levels, what chance and wires made of a cell as a factor of it, and a bias as if it
moved its output by itself, which it does behind a dark trim.

Axes: B batch, I inputs, O outputs, D diodes per input; R rows, 2 O lines.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import torch
from torch import Tensor

from .. import loops
from ..compiler.design import Design, map_design
from ..compiler.hardware import Hardware
from ..data import ImageSet
from ..data.images import check_answers
from ..engines.arithmetic import CPU
from ..engines.devices import moved
from ..engines.twin import use_one_thread
from ..engines.twin_engine import TwinEngine
from ..errors import SettingsError
from ..imperfections import Conditions, Variation
from ..imperfections.converters import ADCS, DACS
from ..imperfections.fronts import require_fronts
from ..imperfections.make import perturb
from ..imperfections.presets import shipped_with
from ..network.encoding import Encoding
from ..network.measures import distance
from ..network.model import TDKAN
from ..network.spec import NetworkSpec
from ..settings import require
from ..streams import MAX_SAMPLE
from ..studies.points import check_temps
from .folded import FoldedLayer, folded_layers, spec_of
from .followed import FollowedChip

HOLD = 4
"""Batches that go through one drawing of a chip: its cells follow the coefficients meanwhile."""


class ThroughChips:
    """What stands between a network and its loss: a virtual chip, another one every few batches.

    Parameters
    ----------
    hardware, variation, conditions
        What the chips are made of, what differs, and what they are exposed to.
    chip
        (seed, sample) of the one chip to train for; by default each is another.
    network
        Widths, and names of the devices, of the network that the chip is one of.
    """

    def __init__(
        self,
        hardware: Hardware,
        variation: Variation,
        conditions: Conditions,
        chip: tuple[int, int] | None = None,
        network: tuple[tuple[int, ...], tuple[str, ...]] | None = None,
    ) -> None:
        if chip is not None:
            require(0 <= chip[1] < MAX_SAMPLE, "chip", chip[1], f"0 to {MAX_SAMPLE - 1}")
        if (hardware, variation, conditions) == (Hardware(), Variation(), Conditions()):
            raise SettingsError(
                "noise twin of nominal chips disturbs nothing: give --variation or --set, such as "
                "--variation rram or --set levels=4"
            )
        if variation.r_access:
            raise SettingsError(
                f"r_access = {variation.r_access:g} ohm: how cells behind access devices follow "
                "their coefficients is not worked out for training; set r_access to 0"
            )
        _require_exact_converters(hardware, variation)
        self.hardware, self.variation, self.conditions = hardware, variation, conditions
        self.chip, self.network = chip, network
        self._source: torch.Generator | None = None
        self._batches = 0
        self._drawn: FollowedChip | None = None
        self._phi: np.ndarray | None = None

    def hardware_set(self) -> list[tuple[str, Any]]:
        """Names and values of the hardware settings that are not the default's."""
        default = asdict(Hardware())
        return [(k, v) for k, v in asdict(self.hardware).items() if v != default[k]]

    def hardware_words(self) -> list[str]:
        """What ``compile`` is given for it: the shipped preset that has it, or its settings."""
        found = self.hardware_set()
        preset = shipped_with(self.hardware, self.variation) if len(found) > 1 else ""
        if preset:
            return [f"--preset={preset}"]
        return [f"--set={key}={value}" for key, value in found]

    def document(self) -> dict[str, Any]:
        """Its settings, those of the hardware that are not the default's."""
        found = dict(self.hardware_set()) | self.variation.document() | asdict(self.conditions)
        return {"kind": "twin", "chip": self.chip, **found}

    def reached(
        self, spec: NetworkSpec, images: ImageSet, chip: tuple[int, int] | None = None
    ) -> float:
        """Share of ``images`` that a chip (seed, sample) of ``spec`` has right, or, of a
        regression, its RMSE in the unit of ``measures``; by default of the one that is trained for.

        DataError if they do not suit the network.
        """
        number = chip or self.chip
        assert number is not None
        check_answers(images, spec)
        _, made = self._made(spec, number)
        volts = spec.dac_volts(images.flat(spec.encoding.shape))
        outputs = TwinEngine().logits(made, volts, images.index, self.conditions.temp_c)
        if spec.targets is not None:
            return distance(spec.targets, images.y, spec.targets.values(outputs)).rmse
        return float((outputs.argmax(axis=1) == images.y).mean())

    def prepare(self, encoding: Encoding, calibration: np.ndarray) -> None:
        """Keep what the compiler sizes gains from; one torch thread, as in every study."""
        use_one_thread()
        loops.load()  # many chips will be trimmed
        self._encoding, self._calibration, self._phi = encoding, calibration, None

    def forward(
        self, model: TDKAN, volts: Tensor, generator: torch.Generator
    ) -> tuple[Tensor, list[Tensor]]:
        """Logits (B, O) and hidden voltages of a chip of ``model``; see ``Disturbance``.

        BatchNorm's statistics are those of the undisturbed batch while they are trained, and the
        stored ones of a norm in evaluation mode.
        """
        layers = folded_layers(model, volts)
        if generator is not self._source:  # another epoch, which must not depend on the last one
            self._source, self._batches = generator, 0
        if self._batches % HOLD == 0:
            self._drawn = self._draw(model, layers, generator, volts)
        self._batches += 1
        assert self._drawn is not None
        return self._drawn.run(layers, model.squashed(volts))

    def _draw(
        self,
        model: TDKAN,
        layers: Sequence[FoldedLayer],
        generator: torch.Generator,
        like: Tensor,
    ) -> FollowedChip:
        """A chip of ``model``, drawn on the CPU, of the type and on the device of ``like``."""
        layers = moved(tuple(layers), CPU)
        seeds = torch.randint(MAX_SAMPLE, (2,), generator=generator).tolist()
        spec = spec_of(model, layers, self._encoding, self._calibration)
        if self._phi is None:  # of the calibration inputs: they do not follow the coefficients
            phi = spec.layers[0].phi(spec.dac_volts(self._calibration))
            self._phi = phi.reshape(len(phi), -1)
        design, chip = self._made(spec, self.chip or seeds, self._phi)
        temp_c, device = self.conditions.temp_c, str(like.device)
        return FollowedChip(design, chip, temp_c, layers, like.dtype, device)

    def _made(
        self, spec: NetworkSpec, chip: Sequence[int], phi: np.ndarray | None = None
    ) -> tuple[Design, Design]:
        """The design of ``spec``, and its chip (seed, sample); ``phi`` as for ``map_design``."""
        names = tuple(curve.name for curve in spec.layers[0].curves)
        if self.network not in (None, (spec.sizes, names)):
            sizes, devices = self.network
            raise SettingsError(
                f"the chip is one of a network {list(sizes)} of {', '.join(devices)}, but what is "
                f"trained is {list(spec.sizes)} of {', '.join(names)}: give its own BUILD"
            )
        seed, sample = chip
        design = map_design(spec, self.hardware, phi)
        check_temps(design, [self.conditions.temp_c])
        require_fronts(self.variation, design.stages)
        made, _ = perturb(
            design, self.variation, self.conditions, spec=spec, seed=seed, sample=sample
        )
        return design, made


def _require_exact_converters(hardware: Hardware, variation: Variation) -> None:
    """SettingsError if DACs or ADCs have bits or errors: nothing flows back through them."""
    settings = [setting.name for one in (DACS, ADCS) for setting in one.settings]
    told = [(name, getattr(hardware, name)) for name in ("dac_bits", "adc_bits")]
    for name, value in [*told, *((name, getattr(variation, name)) for name in settings)]:
        if value:
            raise SettingsError(
                f"{name} = {value:g}: training goes through chips with exact DACs and ADCs: leave "
                f"{name} out, and give it to the studies of what was trained"
            )
