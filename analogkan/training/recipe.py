"""Recipes: everything about a training that is chosen beforehand, as TOML."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields, replace

from ..data.images import CLASSIFICATION, TASKS
from ..limits import QUANTITIES
from ..network.encoding import MOST_TAPS
from ..network.squash import MAX_SLOPE, NORMS, squash_names
from ..settings import build, find_named, read_toml, require
from .augment import Augmentation
from .goals import ANY

FOLDER = "training/recipes"
SCHEDULES = ("cosine", "constant")


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How a TD-KAN is trained. The shipped ones say in a comment what they were measured to reach.

    Attributes
    ----------
    task
        ``classification``, ``regression``, or ``any``: of a recipe that trains a model on.
    devices
        The diodes of every input: names, or paths of ``.toml`` device files (relative ones from
        the current folder).
    hidden
        Widths of the hidden layers.
    convolutions
        Before the hidden layers: channels, kernel, stride and padding of each.
    resize
        Height and width images are resized to; empty leaves them as they are.
    v_lo, v_hi
        Volts at the smallest and largest input value.
    taps
        Several DACs an input, volts at its smallest and at its largest value each; instead of
        ``v_lo`` and ``v_hi``. They show its diodes several parts of their curves.
    each_range
        Every input has its own range of values, as quantities of different units do.
    squash
        ``none``, ``clamp``, ``sigmoid`` or ``tanh``; all but the first from ``range_lo`` to
        ``range_hi``.
    slope
        Of ``sigmoid`` and ``tanh``, per volt.
    beyond_measured
        Let the squash leave the table of a device; its current is then the table's end.
    norm
        ``batch``, ``layer`` or ``none``.
    epochs, batch, learning_rate
        Adam (0.9, 0.999).
    finish
        Iterations of L-BFGS on the whole training set after the epochs, in float64; of a training
        for hardware, whose every batch is another chip, none.
    schedule
        Of the learning rate over all steps: ``cosine`` to zero, or ``constant``.
    clip_sigma
        Coefficients are used and stored clipped at this many standard deviations; 0 is off.
    range_penalty
        Weight of mean(relu(range_lo - z)^2 + relu(z - range_hi)^2) over hidden voltages z; with
        ``sigmoid`` and ``tanh`` nothing needs it, and it is left out.
    range_lo, range_hi
        Volts; the penalty's end where a table ends before it.
    init_phi2
        Expected phi^2 of each layer: theta starts as N(0, 1 / (I D phi2)).
    norm_gain, norm_offset
        Where the norms' affine part starts; volts.
    biases
        Whether outputs have a trained bias.
    rotate_deg, scale, shear, shift_px, crop_px, flip, jitter
        See ``Augmentation``.
    """

    devices: tuple[str, ...]
    hidden: tuple[int, ...]
    epochs: int
    learning_rate: float
    batch: int = 128
    schedule: str = "cosine"
    resize: tuple[int, ...] = ()
    v_lo: float = 0.0
    v_hi: float = 0.7
    squash: str = "none"
    slope: float = 1.0
    beyond_measured: bool = False
    norm: str = "batch"
    clip_sigma: float = 3.0
    range_penalty: float = 100.0
    range_lo: float = 0.0
    range_hi: float = 1.25
    init_phi2: tuple[float, ...] = (0.05, 0.3)
    norm_gain: float = 0.2
    norm_offset: float = 0.5
    rotate_deg: float = 0.0
    scale: float = 0.0
    shear: float = 0.0
    shift_px: float = 0.0
    crop_px: int = 0
    flip: bool = False
    jitter: float = 0.0
    biases: bool = True
    convolutions: tuple[tuple[int, ...], ...] = ()
    task: str = CLASSIFICATION
    taps: tuple[tuple[float, ...], ...] = ()
    each_range: bool = False
    finish: int = 0

    def __post_init__(self) -> None:
        require(1 <= self.epochs <= 10_000, "epochs", self.epochs, "1 to 10000")
        require(2 <= self.batch <= 65_536, "batch", self.batch, "2 to 65536")
        require(
            0 < self.learning_rate < 10, "learning_rate", self.learning_rate, "above 0, below 10"
        )
        require(
            all(1 <= h <= 65_536 for h in self.hidden), "hidden", self.hidden, "each 1 to 65536"
        )
        fine = all(
            len(c) == 4 and min(c[:3]) >= 1 and c[3] >= 0 and max(c) <= 65_536
            for c in self.convolutions
        )
        limit = (
            "lists of channels, kernel, stride (each 1 or more) and padding (0 or more), to 65536"
        )
        require(fine, "convolutions", self.convolutions, limit)
        sides = len(self.resize) in (0, 2) and all(1 <= side <= 65_536 for side in self.resize)
        require(sides, "resize", self.resize, "height and width, both 1 to 65536, or empty")
        kinds = squash_names()
        require(self.squash in kinds, "squash", self.squash, ", ".join(kinds))
        require(0 < self.slope <= MAX_SLOPE, "slope", self.slope, f"above 0, to {MAX_SLOPE:g}")
        tasks = (*TASKS, ANY)
        require(self.task in tasks, "task", self.task, ", ".join(tasks))
        require(0 <= self.finish <= 100_000, "finish", self.finish, "0 to 100000")
        require(self.norm in NORMS, "norm", self.norm, ", ".join(NORMS))
        require(self.schedule in SCHEDULES, "schedule", self.schedule, ", ".join(SCHEDULES))
        volts = QUANTITIES["voltage"]
        for name in ("v_lo", "v_hi", "range_lo", "range_hi", "norm_gain", "norm_offset"):
            value = getattr(self, name)
            limit = f"{volts.low:g} to {volts.high:g} V"
            require(volts.low <= value <= volts.high, name, value, limit)
        taps = all(len(tap) == 2 and tap[0] != tap[1] for tap in self.taps)
        ends = [volts.low <= v <= volts.high for tap in self.taps for v in tap]
        limit = f"at most {MOST_TAPS} pairs of different volts"
        require(taps and all(ends) and len(self.taps) <= MOST_TAPS, "taps", self.taps, limit)
        require(self.v_lo < self.v_hi, "v_hi", self.v_hi, f"above v_lo = {self.v_lo}")
        require(
            self.range_lo < self.range_hi,
            "range_hi",
            self.range_hi,
            f"above range_lo = {self.range_lo}",
        )
        shares = min(self.init_phi2, default=0) > 0 and max(self.init_phi2) < math.inf
        require(shares, "init_phi2", self.init_phi2, "each above 0")
        self.augmentation()
        for name in ("clip_sigma", "range_penalty"):
            value = getattr(self, name)
            require(value >= 0 and math.isfinite(value), name, value, "0 or more")

    def augmentation(self) -> Augmentation:
        """How the images of every epoch are changed."""
        return Augmentation(**{f.name: getattr(self, f.name) for f in fields(Augmentation)})


def load_recipe(name: str, *, epochs: int | None = None, trains_on: bool = False) -> Recipe:
    """A shipped recipe by name or the user's by path, optionally with another number of epochs.

    One that ``trains_on`` a model says only how: without ``devices`` and ``hidden`` it is
    ``finetune`` with what it says instead.
    """
    path = find_named(name, FOLDER, "recipe")
    values = read_toml(path, "recipe")
    if trains_on and not {"devices", "hidden"} & set(values):
        values = read_toml(find_named("finetune", FOLDER, "recipe"), "recipe") | values
    recipe = build(Recipe, values, f"recipe {path.stem}")
    return recipe if epochs is None else replace(recipe, epochs=epochs)
