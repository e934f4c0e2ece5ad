"""The noise of one image's outputs, by ngspice, and by the twin what it is made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, ClassVar

import numpy as np

from ..engines.analysis import Answered
from ..physics import Assumptions
from ..physics.noise import noise_of_design
from ..physics.noise_deck import integrated, noise_analysis, outputs_of
from ..results import Fact, Figure, Listing, Result
from ..tables import Table, table_of

ASSUMED = Assumptions()


def _summarise(
    answers: Sequence[Answered],
) -> tuple[dict[str, Any], Mapping[str, np.ndarray]]:
    (answered,) = answers
    design = answered.deck.design
    noise = noise_of_design(design, answered.points, ASSUMED)
    spectra = {net: answered.values[:, 2 * k : 2 * k + 2] for k, net in enumerate(answered.probes)}
    outputs = [
        {
            "net": net,
            "volts": float(volts),
            "ngspice_v_rms": integrated(spectrum, ASSUMED),
            "twin_v_rms": float(rms),
        }
        for (net, spectrum), volts, rms in zip(
            spectra.items(), noise.volts[0], noise.rms[0], strict=True
        )
    ]
    power = noise.shares[0].sum(axis=2) / (noise.rms[0] ** 2).sum()
    shares = [
        {"block": block, "layer": layer, "share": float(power[k, layer])}
        for k, block in enumerate(noise.blocks)
        for layer in range(power.shape[1])
        if power[k, layer]
    ]
    shares.sort(key=lambda one: -one["share"])
    document = {
        "outputs": outputs,
        "shares": shares,
        "at_kinks": int(noise.at_kinks[0]),
        "other_v_rms": [float(v) for v in noise.other[0]],
        "assumed": asdict(ASSUMED),
    }
    return document, spectra


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class NoiseSpectra(Result):
    """What the noise analysis found at one image.

    Attributes
    ----------
    outputs
        Of each output its volts, and its noise in volts rms by ngspice and by the twin.
    shares
        Of the noise power of all outputs, by block and layer, the largest first; the twin's.
    at_kinks
        Diodes within three standard deviations of a kink of their curve.
    other_v_rms
        The outputs' noise if these were on the kink's other side, volts rms.
    assumed
        The ``Assumptions``.
    images, image
        What the image is one of, and its number.
    arrays
        Of each output's net its spectrum (F, 2), hertz and V/sqrt(Hz).
    """

    heading: ClassVar[str] = "Noise of one image's outputs"
    outputs: list[dict[str, Any]]
    shares: list[dict[str, Any]]
    at_kinks: int
    other_v_rms: list[float]
    assumed: dict[str, Any]
    images: dict[str, Any]
    image: int
    arrays: Mapping[str, np.ndarray] = field(default_factory=dict[str, np.ndarray])

    def title(self) -> str:
        """The image."""
        return f"image {self.image} of {self.images['said']}: noise"

    def headline(self) -> list[Fact]:
        """All outputs together, and what makes most of it."""
        rms = np.sqrt(np.mean([one["ngspice_v_rms"] ** 2 for one in self.outputs]))
        most = self.shares[0]
        told = f"{most['block']} of layer {most['layer']}"
        return [
            Fact("noise of an output", f"{1e3 * rms:.3g} mV rms", "ngspice"),
            Fact("most of it", f"{100 * most['share']:.0f} %", told),
        ]

    def facts(self) -> Listing:
        """A line an output."""
        rows = [
            (
                one["net"],
                f"{one['volts']:.4g}",
                f"{1e3 * one['ngspice_v_rms']:.4g}",
                f"{1e3 * one['twin_v_rms']:.4g}",
                f"{1e3 * other:.4g}",
            )
            for one, other in zip(self.outputs, self.other_v_rms, strict=True)
        ]
        return Listing(("output", "V", "mV rms", "twin", "other side of kinks"), rows)

    def closing(self) -> list[str]:
        """What it is made of, and where a curve's kink is near."""
        parts = [
            f"{one['block']} of layer {one['layer']} {100 * one['share']:.0f} %"
            for one in self.shares[:5]
        ]
        return [
            f"noise power: {', '.join(parts)}",
            f"{self.at_kinks} diodes stand within three standard deviations of a kink of their "
            "curve; ngspice takes the slope above it",
        ]

    def figures(self) -> list[Figure]:
        """Each output's spectrum, and the shares."""
        return [Figure("noise", "Noise by frequency (ngspice) and by source (twin).", self._draw)]

    def _draw(self) -> Any:
        from ..report.spectra import noise_figure

        shares = [(f"{one['block']}, layer {one['layer']}", one["share"]) for one in self.shares]
        return noise_figure(self.arrays, shares, self.title())

    def table(self) -> Table:
        """A row an output."""
        return table_of(self.outputs)


NOISE = noise_analysis(
    ASSUMED,
    name="noise",
    about="noise of the outputs, and what makes it",
    probes=outputs_of,
    summarise=_summarise,
    result=NoiseSpectra,
)
