"""Training through the twin: every batch goes through a whole virtual chip.

Forwards a batch's answer is exactly that of a chip of the network as it then is: mapped, drawn,
trimmed, at its temperature, behind its wires. Backwards, mapping is taken as the straight line it
is between two levels, what chance and wires made of a cell as a factor of it, and a bias as if it
moved its output by itself, which it does behind a dark trim.

Axes: B batch, I inputs, O outputs, D diodes per input; R rows, 2 O lines.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..compiler.design import Design, map_design
from ..compiler.hardware import Hardware
from ..data import ImageSet
from ..data.images import check_answers
from ..engines.twin import Twin, TwinStage, use_one_thread
from ..engines.twin_engine import TwinEngine
from ..errors import SettingsError
from ..imperfections import Conditions, Variation
from ..imperfections.converters import ADCS, DACS
from ..imperfections.fronts import require_fronts
from ..imperfections.make import perturb
from ..network.encoding import Encoding
from ..network.measures import distance
from ..network.model import TDKAN
from ..network.spec import LayerSpec, NetworkSpec
from ..network.squash import Norm
from ..settings import require
from ..streams import MAX_SAMPLE
from ..studies.points import check_temps

HOLD = 4
"""Batches that go through one drawing of a chip: its cells follow the coefficients meanwhile."""


@dataclass(frozen=True, eq=False)
class FoldedLayer:
    """A layer as the compiler maps it, BatchNorm folded away.

    Attributes
    ----------
    weight, bias
        (O, I D) with d fastest, and (O,).
    norm
        Scale and shift, (I,) each, of a LayerNorm before it; or None.
    """

    weight: Tensor
    bias: Tensor
    norm: tuple[Tensor, Tensor] | None


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
        self._drawn: _Drawn | None = None

    def hardware_set(self) -> list[tuple[str, Any]]:
        """Names and values of the hardware settings that are not the default's."""
        default = asdict(Hardware())
        return [(k, v) for k, v in asdict(self.hardware).items() if v != default[k]]

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
        self._encoding, self._calibration = encoding, calibration

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
            self._drawn = self._draw(model, layers, generator)
        self._batches += 1
        assert self._drawn is not None
        dac = model.squashed(volts).to(torch.float64).T[None]
        return self._drawn.run(layers, dac, volts.dtype)

    def _draw(
        self, model: TDKAN, layers: Sequence[FoldedLayer], generator: torch.Generator
    ) -> _Drawn:
        seeds = torch.randint(MAX_SAMPLE, (2,), generator=generator).tolist()
        spec = _spec(model, layers, self._encoding, self._calibration)
        design, chip = self._made(spec, self.chip or seeds)
        return _Drawn(design, chip, Twin([chip], self.conditions.temp_c), layers)

    def _made(self, spec: NetworkSpec, chip: Sequence[int]) -> tuple[Design, Design]:
        """The design of ``spec``, and its chip (seed, sample)."""
        names = tuple(curve.name for curve in spec.layers[0].curves)
        if self.network not in (None, (spec.sizes, names)):
            sizes, devices = self.network
            raise SettingsError(
                f"the chip is one of a network {list(sizes)} of {', '.join(devices)}, but what is "
                f"trained is {list(spec.sizes)} of {', '.join(names)}: give its own BUILD"
            )
        seed, sample = chip
        design = map_design(spec, self.hardware)
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


def folded_layers(model: TDKAN, volts: Tensor) -> list[FoldedLayer]:
    """The layers of ``model`` with BatchNorm folded into the one before it, differentiably.

    Parameters
    ----------
    volts
        (B, I): the batch whose statistics a BatchNorm in training mode takes.
    """
    found: list[FoldedLayer] = []
    of_batch = any(isinstance(n, torch.nn.BatchNorm1d) and n.training for n in model.norms)
    v = volts
    for k, layer in enumerate(model.layers):
        weight, bias, norm = layer.clipped(model.clip_sigma), layer.bias, None
        if k and len(model.norms):
            before = model.norms[k - 1]
            if isinstance(before, torch.nn.LayerNorm):
                norm = (before.weight, before.bias)
            else:
                scale, shift = _affine(before, v)
                if of_batch:
                    v = v * scale + shift
                last = found[-1]
                found[-1] = FoldedLayer(
                    last.weight * scale[:, None], last.bias * scale + shift, last.norm
                )
        found.append(FoldedLayer(weight, bias, norm))
        if of_batch and k + 1 < len(model.layers):
            v = layer(model.squashed(v), clip_sigma=model.clip_sigma)
    return found


def _affine(norm: torch.nn.BatchNorm1d, z: Tensor) -> tuple[Tensor, Tensor]:
    """Scale and shift (I,) that ``norm`` is, on ``z`` (B, I) if it is in training mode."""
    if norm.training:
        mean, variance = z.mean(dim=0), z.var(dim=0, unbiased=False)
    else:
        assert norm.running_mean is not None and norm.running_var is not None
        mean, variance = norm.running_mean, norm.running_var
    scale = norm.weight / torch.sqrt(variance + norm.eps)
    return scale, norm.bias - mean * scale


def _spec(
    model: TDKAN, layers: Sequence[FoldedLayer], encoding: Encoding, calibration: np.ndarray
) -> NetworkSpec:
    """The network as arrays, for the compiler."""
    made = []
    for k, (layer, folded) in enumerate(zip(model.layers, layers, strict=True)):
        n_in, n_out, n_dev = layer.shape
        norm = None
        if folded.norm is not None:
            scale, shift = (_array(part) for part in folded.norm)
            norm = Norm(kind="layer", scale=scale, shift=shift, eps=model.norms[k - 1].eps)
        weight = _array(folded.weight).reshape(n_out, n_in, n_dev)
        made.append(
            LayerSpec(
                theta=weight.transpose(1, 0, 2),
                bias=_array(folded.bias),
                curves=model.config.curves,
                squash=model.config.squash,
                norm=norm,
            )
        )
    return NetworkSpec(
        name="training", layers=tuple(made), encoding=encoding, calibration=calibration
    )


def _array(tensor: Tensor) -> np.ndarray:
    return tensor.detach().to(torch.float64).numpy()


class _Drawn:
    """A chip, and how its cells follow the coefficients it was made for."""

    def __init__(
        self, design: Design, chip: Design, twin: Twin, layers: Sequence[FoldedLayer]
    ) -> None:
        self.design, self.twin = design, twin
        self.made = tuple(twin.stages)
        self.biases = [layer.bias.detach().to(torch.float64, copy=True) for layer in layers]
        # What a cell is, over what it would be without levels, errors and wires.
        self.factors = []
        for stage, drawn, layer, made in zip(
            design.stages, chip.stages, layers, self.made, strict=True
        ):
            factor = made.g[0, : made.n_rows] / self._cells(layer.weight.detach(), stage.alpha)
            assert drawn.errors is not None
            stuck = torch.from_numpy(drawn.errors.stuck[: made.n_rows])
            self.factors.append((factor, made.g[0], stuck))

    def run(
        self, layers: Sequence[FoldedLayer], dac: Tensor, dtype: torch.dtype
    ) -> tuple[Tensor, list[Tensor]]:
        """Logits and hidden voltages, (B, O) each, for ``dac`` (1, I, B) volts."""
        self.twin.stages = [self._stage(k, layer) for k, layer in enumerate(layers)]
        found = self.twin.run(dac, np.arange(dac.shape[2]))
        logits = found.outputs[-1] / self.twin.v_per_logit
        return logits[0].T.to(dtype), [hidden[0].T.to(dtype) for hidden in found.hidden]

    def _stage(self, k: int, layer: FoldedLayer) -> TwinStage:
        """The twin's stage with cells and LayerNorm as the coefficients now have them."""
        made, (factor, g, stuck) = self.made[k], self.factors[k]
        alpha = self.design.stages[k].alpha
        cells = torch.where(stuck, g[: made.n_rows], factor * self._cells(layer.weight, alpha))
        # Bias rows are all at one voltage: what the bias has changed by may go into one more.
        moved = (layer.bias.to(torch.float64) - self.biases[k]) / torch.from_numpy(alpha)
        change = torch.stack([0.5 * moved, -0.5 * moved], dim=1).reshape(1, -1)
        front = made.front
        if layer.norm is not None:
            assert front.norm is not None
            scale, shift = (part.to(torch.float64) for part in layer.norm)
            tensors: dict[str, Any] = {"scale": scale, "shift": shift}
            front = replace(front, norm=replace(front.norm, **tensors))
        return replace(made, front=front, g=torch.cat([cells, g[made.n_rows :], change])[None])

    def _cells(self, weight: Tensor, alpha: np.ndarray) -> Tensor:
        """Siemens (I D, 2 O) for ``weight`` (O, I D), one of each pair at g_min, without levels."""
        signed = weight.to(torch.float64) / torch.from_numpy(alpha)[:, None]
        pairs = torch.stack([signed.clamp(min=0), (-signed).clamp(min=0)], dim=1)
        return self.design.hardware.g_min + pairs.flatten(0, 1).T
