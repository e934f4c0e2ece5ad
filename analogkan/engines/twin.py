"""The twin: a chip in closed form, as exact as ngspice and hundreds of times as fast.

Stages are one-way, so each is its diodes' equations, row by row, then one linear map. A diode
whose current is piecewise linear, into a linear amplifier, is again piecewise linear: its table is
worked out once a chip and no Newton iteration is left. Everything is float64 and differentiable.

Axes: M chips, I inputs, D diodes, O outputs, B images, K points of a row's table; R rows. Images
are last, so that a stage's outputs are the next one's inputs as they are.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from ..compiler.chip import ReadNoise
from ..compiler.closed_form import require_closed_form
from ..compiler.columns import Columns
from ..compiler.design import CrossbarStage, Design
from ..compiler.front import Front
from ..compiler.spice_cells import TEMPERATURE_C
from ..threads import WhileUsed
from .arithmetic import CPU
from .devices import moved
from .traced import tensor_of
from .twin_arrays import stage_arrays
from .twin_cells import Bent, bent_of
from .twin_front import RealFront, normed_volts, real_front, squashed_volts
from .twin_inputs import Inputs

ON_THE_WAY = 8
"""Arrays of a stage's rows that are there at once: places, slopes, points, what is looked up."""


def use_one_thread() -> None:
    """One torch thread in each of the caller's: jobs are what runs side by side."""
    torch.set_num_threads(1)


one_torch_thread = WhileUsed(torch.get_num_threads, torch.set_num_threads)
"""The same, for as long as somebody is in it."""


def interpolate(
    x: torch.Tensor, y: torch.Tensor, at: torch.Tensor, *, right: bool = True
) -> torch.Tensor:
    """Piecewise linear through (x, y) (..., K), flat outside, at ``at`` (..., B); at a point of
    them the piece to its ``right``, or the one to its left, which differ in derivatives alone."""
    step = torch.diff(x)
    # Equal points stand for a kink that two knots share: nothing lies between them.
    slope = torch.where(step > 0, torch.diff(y) / torch.where(step > 0, step, 1.0), 0.0)
    flat = torch.zeros_like(slope[..., :1])
    slope = torch.cat([flat, slope, flat], dim=-1)
    k = torch.searchsorted(x.detach(), at.detach(), right=right)
    x0 = torch.cat([x[..., :1], x], dim=-1)
    y0 = torch.cat([y[..., :1], y], dim=-1)
    return torch.addcmul(y0.gather(-1, k), slope.gather(-1, k), at - x0.gather(-1, k))


@dataclass(frozen=True, eq=False, kw_only=True)
class TwinStage:
    """One stage of M chips at one temperature, as tensors.

    Attributes
    ----------
    front
        The cells before the diodes as designed; alike on all chips.
    real
        What is not as designed in them; None: nothing.
    x, r
        (M, I, D, K) volts: a row amplifier's output r over the voltage x at its diode.
    g
        (M, R, 2 O) siemens between rows, bias rows last, and summing nodes.
    feet
        (M, 2 O, 2 O) admittance matrix of the summing nodes; None without wires, where it is
        diagonal.
    r_c
        (M, 2 O) ohms.
    ratio
        (M, O) closed-loop gain of the difference amplifiers, or r_n / r_x of a summing read-out.
    line_gain, line_offset
        (M, 2 O) of the lines' op-amps: open-loop gain, volts.
    diff_gain, diff_offset
        (M, O) of the difference amplifiers'; (M, 0) of a summing read-out.
    differences
        Whether its read-out has difference amplifiers.
    bent
        How the currents of its cells follow voltage; None: as resistors'.
    """

    front: Front
    x: torch.Tensor
    r: torch.Tensor
    g: torch.Tensor
    feet: torch.Tensor | None = None
    r_c: torch.Tensor
    ratio: torch.Tensor
    line_gain: torch.Tensor
    line_offset: torch.Tensor
    diff_gain: torch.Tensor
    diff_offset: torch.Tensor
    differences: bool
    bent: Bent | None = None
    real: RealFront | None = None

    @property
    def n_rows(self) -> int:
        """Rows with a diode, I D."""
        return self.x.shape[1] * self.x.shape[2]

    @property
    def columns(self) -> Columns:
        """Its amplifiers behind the crossbar."""
        return Columns(
            g=self.g.sum(dim=1),
            feet=self.feet,
            r_c=self.r_c,
            ratio=self.ratio,
            line_gain=self.line_gain,
            line_offset=self.line_offset,
            diff_gain=self.diff_gain,
            diff_offset=self.diff_offset,
            differences=self.differences,
            xp=torch,
        )


@dataclass(frozen=True, eq=False)
class TwinRun:
    """What came of a run: for each stage ``outputs`` (M, O, B) volts and, with read noise, the
    currents ``noise`` (M, 2 O, B) amperes; for each but the first ``hidden`` (M, I, B), volts after
    its norm."""

    outputs: list[torch.Tensor]
    noise: list[torch.Tensor]
    hidden: list[torch.Tensor]


Maps = Mapping[int, tuple[torch.Tensor, torch.Tensor]]


@dataclass(frozen=True, eq=False)
class Known:
    """What is alike for all images: the rows' volts ``table`` (M, I, D, U) of the first stage, and
    what stages are ``folded`` into, by their numbers."""

    table: torch.Tensor | None
    maps: Maps


NOTHING = Known(None, {})


class Twin:
    """M chips of one design at one temperature.

    Parameters
    ----------
    chips
        Designs of one shape, from ``perturb``; or the nominal one.
    temp_c
        Degrees Celsius.
    device
        Where it computes, by torch's name.

    Raises
    ------
    SimulationError
        If a cell has no closed form, or a diode's circuit would have several operating points.
    """

    def __init__(
        self, chips: Sequence[Design], temp_c: float = TEMPERATURE_C, device: str = CPU
    ) -> None:
        require_closed_form(chips[0])
        self.device = device
        self.hardware = chips[0].hardware
        self.temp_c = temp_c
        self.v_per_logit = chips[0].v_per_logit
        self.noise = [[s.errors and s.errors.noise for s in chip.stages] for chip in chips]
        self.stages = [
            self._stage([chip.stages[k] for chip in chips]) for k in range(len(chips[0].stages))
        ]

    def _stage(self, stages: Sequence[CrossbarStage]) -> TwinStage:
        """One stage of all chips."""
        per_chip = [stage_arrays(stage, self.hardware, self.temp_c) for stage in stages]
        arrays = {name: np.stack([of[name] for of in per_chip]) for name in per_chip[0]}
        stage = TwinStage(
            front=stages[0].front,
            differences=stages[0].readout.differences,
            bent=bent_of(stages, arrays, self.hardware, self.temp_c),
            real=real_front(
                stages[0].front, [stage.errors for stage in stages], self.hardware, self.temp_c
            ),
            **{name: tensor_of(array) for name, array in arrays.items()},
        )
        return stage if self.device == CPU else moved(stage, self.device)

    @property
    def image_bytes(self) -> int:
        """Memory that an image takes, about: a float64 for each row and line, and what is worked
        out on the way."""
        widths = [stage.n_rows + stage.g.shape[2] for stage in self.stages]
        return 8 * ON_THE_WAY * len(self.noise) * max(widths)

    def logits(
        self,
        inputs: Inputs | torch.Tensor,
        index: Sequence[int] | np.ndarray = (),
        known: Known = NOTHING,
    ) -> torch.Tensor:
        """Logits (M, O, B) of ``inputs``, as for ``run``; ``index`` (B,) are the images' positions,
        which read noise needs."""
        return self.run(inputs, index, known).outputs[-1] / self.v_per_logit

    def answers(self, inputs: Inputs | torch.Tensor, index: np.ndarray, block: int) -> np.ndarray:
        """Logits (M, B, O) as numbers, ``block`` images at a time; ``inputs`` as for ``run``."""
        parts = []
        with torch.no_grad():
            known = self.known(inputs)
            for some, numbers in _blocks(inputs, index, block):
                parts.append(self.logits(some, numbers, known))
        return torch.cat(parts, dim=2).transpose(1, 2).cpu().numpy()

    def stage_volts(
        self, inputs: Inputs | torch.Tensor, index: np.ndarray, block: int
    ) -> list[np.ndarray]:
        """Outputs (B, O) of every stage of the first chip, volts; the rest as for ``answers``."""
        with torch.no_grad():
            known = self.known(inputs)
            blocks = _blocks(inputs, index, block)
            runs = [self.run(some, numbers, known) for some, numbers in blocks]
        by_stage = zip(*(run.outputs for run in runs), strict=True)
        return [torch.cat(parts, dim=2)[0].T.cpu().numpy() for parts in by_stage]

    def run(
        self,
        inputs: Inputs | torch.Tensor,
        index: Sequence[int] | np.ndarray = (),
        known: Known = NOTHING,
    ) -> TwinRun:
        """Every stage's outputs, and the noise currents in its lines.

        ``inputs`` may be volts (M, I, B), or (1, I, B) for all chips: no DAC's codes, and
        differentiable.
        """
        found = TwinRun([], [], [])
        for k, stage in enumerate(self.stages):
            before = found.outputs[-1] if k else inputs
            if isinstance(before, Inputs) and stage.front.kind == "none":
                rows = self.first_rows(before, known.table)
            else:
                y = before.volts[None] if isinstance(before, Inputs) else before
                normed = normed_volts(stage.front, y, stage.real)
                found.hidden.extend([normed] if k else [])
                v = squashed_volts(stage.front, normed, self.hardware, self.temp_c, stage.real)
                rows = self._rows(stage, v)
            noise = self._noise(stage, rows, k, np.asarray(index))
            found.noise.extend([] if noise is None else [noise])
            found.outputs.append(self.outputs(stage, rows, noise, known.maps.get(k)))
        return found

    def known(self, inputs: Inputs | torch.Tensor) -> Known:
        """What is alike for all blocks of ``inputs``, worked out once."""
        coded = isinstance(inputs, Inputs) and self.stages[0].front.kind == "none"
        linear = {} if self.hardware.rails else dict(enumerate(self.stages))
        return Known(
            self.first_table(inputs) if coded else None,
            {k: self.folded(stage) for k, stage in linear.items() if stage.bent is None},
        )

    def first_table(self, inputs: Inputs) -> torch.Tensor:
        """Rows (M, I, D, U) of the first stage at the codes of its inputs."""
        stage = self.stages[0]
        m, n_in, n_dev, _ = stage.x.shape
        codes = inputs.codes if inputs.codes.ndim == 1 else inputs.codes[:, None]
        at = codes.expand(m, n_in, n_dev, -1).contiguous()
        return self._limited(interpolate(stage.x, stage.r, at))

    def first_rows(self, inputs: Inputs, table: torch.Tensor | None = None) -> torch.Tensor:
        """Rows (M, I D, B) of the first stage: a look-up, for inputs are codes."""
        table = self.first_table(inputs) if table is None else table
        wide = inputs.index[:, None, :].expand(*table.shape[:3], -1)
        return table.gather(-1, wide).flatten(1, 2)

    def _rows(self, stage: TwinStage, v: torch.Tensor) -> torch.Tensor:
        """Rows (M, I D, B) for diode voltages ``v`` (M, I, B)."""
        chips, _, diodes, _ = stage.x.shape
        at = v[:, :, None, :].expand(chips, -1, diodes, -1).contiguous()
        return self._limited(interpolate(stage.x, stage.r, at)).flatten(1, 2)

    def _limited(self, volts: torch.Tensor) -> torch.Tensor:
        if not self.hardware.rails:
            return volts
        return volts.clamp(-self.hardware.v_rail, self.hardware.v_rail)

    def outputs(
        self,
        stage: TwinStage,
        rows: torch.Tensor,
        noise: torch.Tensor | None,
        linear: tuple[torch.Tensor, torch.Tensor] | None = None,
    ) -> torch.Tensor:
        """Outputs (M, O, B) of a stage for ``rows`` (M, I D, B), and noise (M, 2 O, B); ``linear``
        is what it is ``folded`` into, where that is known."""
        if stage.bent is not None:
            lines = stage.bent.lines(stage, self._with_bias(stage, rows), noise, self._limited)
            return self._limited(stage.columns.outputs(lines, self._limited))
        if noise is None and not self.hardware.rails:
            weights, constant = linear or self.folded(stage)
            return torch.baddbmm(constant, weights, rows)
        g, bias = self._siemens(stage)
        current = g @ rows + bias
        if noise is not None:
            current = current + noise
        lines = stage.columns.lines(current, self._limited)
        return self._limited(stage.columns.outputs(lines, self._limited))

    def _with_bias(self, stage: TwinStage, rows: torch.Tensor) -> torch.Tensor:
        """All rows (M, R, B)."""
        bias = rows.new_full((1, 1, 1), -self.hardware.v_fs)
        more = stage.g.shape[1] - stage.n_rows
        return torch.cat([rows, bias.expand(len(rows), more, rows.shape[2])], dim=1)

    def _siemens(self, stage: TwinStage) -> tuple[torch.Tensor, torch.Tensor]:
        """Into the lines, siemens of rows with diodes (M, 2 O, I D), amperes of the others
        (M, 2 O, 1)."""
        bias = -self.hardware.v_fs * stage.g[:, stage.n_rows :].sum(dim=1)
        return stage.g[:, : stage.n_rows].transpose(1, 2), bias[..., None]

    def folded(self, stage: TwinStage) -> tuple[torch.Tensor, torch.Tensor]:
        """What a stage is where nothing is limited, for the two lines of a pair make one linear
        map: volts at its outputs for a volt of a row, (M, O, I D), and for none, (M, O, 1)."""
        g, bias = self._siemens(stage)
        columns = stage.columns
        constant = columns.outputs(columns.lines(bias, _as_is), _as_is)
        still = torch.zeros_like(stage.line_offset), torch.zeros_like(stage.diff_offset)
        columns = replace(columns, line_offset=still[0], diff_offset=still[1])
        return columns.outputs(columns.lines(g, _as_is), _as_is), constant

    def _noise(
        self, stage: TwinStage, rows: torch.Tensor, layer: int, index: np.ndarray
    ) -> torch.Tensor | None:
        """Noise currents (M, 2 O, B): variance sum (sigma g v)^2 over a line's rows."""
        noises = [chip[layer] for chip in self.noise]
        if all(noise is None for noise in noises):
            return None
        weights = moved(_weights(noises, tuple(stage.g.shape[1:])), self.device)
        if stage.bent is not None:
            power = stage.bent.squares(stage.g, self._with_bias(stage, rows), weights)
        else:
            squares = (stage.g**2 * weights).transpose(1, 2)
            power = squares[..., : stage.n_rows] @ rows**2
            still = squares[..., stage.n_rows :].sum(-1, keepdim=True)
            power = power + self.hardware.v_fs**2 * still
        lines = stage.g.shape[2]
        drawn = np.stack([noise_draws(noise, index, lines) for noise in noises])
        return torch.sqrt(power) * tensor_of(drawn).to(self.device)


def _weights(noises: Sequence[ReadNoise | None], shape: tuple[int, ...]) -> torch.Tensor | float:
    """(M, R, 2 O) squares of ``ReadNoise.weights``; 1 where no cell has noise of its own."""
    if all(noise is None or np.ndim(noise.sigma) == 0 for noise in noises):
        return 1.0
    weights = [np.ones(shape) if noise is None else noise.weights(shape) for noise in noises]
    return tensor_of(np.stack(weights)) ** 2


def noise_draws(noise: ReadNoise | None, index: np.ndarray, lines: int) -> np.ndarray:
    """Normal draws (2 O, B) of standard deviation ``noise.scale`` for images ``index`` (B,)."""
    if noise is None:
        return np.zeros((lines, len(index)))
    drawn = noise.scale * noise.place.normal_of_images(noise.stream, index, lines)
    return drawn.T.copy()


def _blocks(
    inputs: Inputs | torch.Tensor, index: np.ndarray, block: int
) -> Iterator[tuple[Inputs | torch.Tensor, np.ndarray]]:
    """``inputs`` and their positions, ``block`` images at a time."""
    for k in range(0, len(index), block):
        given = slice(k, k + block)
        some = inputs.block(given) if isinstance(inputs, Inputs) else inputs[..., given]
        yield some, index[given]


def _as_is(volts: torch.Tensor) -> torch.Tensor:
    return volts
