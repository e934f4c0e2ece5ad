"""One training from data set to checkpoint and card."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from filelock import FileLock, Timeout

from .. import __version__
from ..compiler.build import load_build
from ..data import ImageSet, load_dataset
from ..data.images import CLASSIFICATION, check_answers, check_labels, check_trained, count_classes
from ..data.subset import hold_out
from ..devices import resolve
from ..engines.arithmetic import CPU
from ..engines.devices import facts_of, require_device
from ..errors import CheckpointError, SettingsError
from ..files import remove_partials, sha256
from ..imperfections import load_settings
from ..network import checkpoint
from ..network.baselines import parameter_count
from ..network.spec import NetworkSpec
from ..ours import require_ours
from ..resources import find_model
from ..settings import parse_assignments
from ..studies.log import logged_from_the_first
from .before import reached_before
from .card import evaluate, is_card, write_card
from .fit import Epoch
from .goals import check_task
from .noise import Disturbance, Noise
from .outline import input_encoding
from .own_chips import card_rows, chips_of, on_chips
from .prune import TRIALS, parse_allowed, saved_said, train_or_prune
from .recipe import Recipe, load_recipe
from .through_chips import ThroughChips


@dataclass(frozen=True, kw_only=True)
class TrainingRequest:
    """What to train, on what, and where it goes.

    Attributes
    ----------
    dataset, data, download, task, targets
        As for ``load_dataset``.
    recipe
        A shipped name or a TOML file.
    devices
        Instead of the recipe's, separated by commas: names, or paths of ``.toml`` files.
    out
        The checkpoint; the card goes beside it, the unfinished state too.
    seed, epochs
        The latter instead of the recipe's.
    holdout
        Training images kept back and reported on instead of the test set.
    disturbance
        What every batch goes through, for hardware that will do the same.
    start
        A checkpoint to begin with, or a shipped one's name; its network and input range are kept,
        and the recipe says only how it is trained on.
    prune
        Remove the edges of ``start`` that matter least, within this loss: ``0.1pp`` of accuracy, or
        ``5%`` of an RMSE; see ``training.prune``.
    device
        Where it is computed, by torch's name.
    command
        What the card says made the model.
    """

    dataset: str
    recipe: str
    out: Path
    data: Path = Path("data")
    download: bool = False
    task: str = ""
    targets: str = ""
    seed: int = 0
    epochs: int | None = None
    holdout: int | None = None
    devices: str | None = None
    disturbance: Disturbance | None = None
    start: Path | None = None
    prune: str | None = None
    device: str = CPU
    command: str = ""

    def __post_init__(self) -> None:
        require_device(self.device)
        if self.prune is not None and self.start is None:
            raise SettingsError(
                f"--prune {self.prune} needs the model whose edges it removes: give --from MODEL.pt"
            )
        if self.start is not None:
            object.__setattr__(self, "start", find_model(self.start))

    def epochs_in_all(self) -> int:
        """How many there will be at most."""
        return self.plan().epochs * (1 if self.prune is None else TRIALS)

    def next_command(self) -> str:
        """What compiles the model for the hardware it was trained for."""
        words = ["analogkan", "compile", str(self.out)]
        if isinstance(self.disturbance, ThroughChips):
            words += self.disturbance.hardware_words()
        return shlex.join(words)

    def plan(self) -> Recipe:
        """The recipe, read, with what is asked for instead."""
        recipe = load_recipe(self.recipe, epochs=self.epochs, trains_on=self.start is not None)
        if self.devices is None:
            return recipe
        named = (name.strip() for name in self.devices.split(","))
        return replace(recipe, devices=tuple(name for name in named if name))


DIODES = tuple(
    f"{of}_sigma_{part}" for of in ("diode", "die") for part in ("current", "voltage", "shift")
)
NOISE_SETTINGS = {
    "multiplicative": ("sigma_g", *DIODES),
    "additive": ("sigma_g_abs", *DIODES),
}
"""What noise on coefficients and diodes takes from a variation."""


def disturbance_of(
    kind: str | None,
    variation: str | None,
    settings: Sequence[str] = (),
    chip: str | None = None,
    chip_seed: int | None = None,
) -> Disturbance | None:
    """What a training goes through; None if nothing was asked for.

    Parameters
    ----------
    kind
        ``multiplicative``, ``additive`` or ``twin``; None is the first, or with a chip the last.
    variation, settings
        A shipped preset or a TOML file, and ``key=value`` texts on top. Noise on coefficients
        takes cells' and diodes' sigmas from it, the twin everything.
    chip
        ``BUILD:m``: chip m alone, on the BUILD's hardware; as chips of ``montecarlo``, from
        preset ``rram`` unless told otherwise.
    chip_seed
        Of the study that the chip is in; 0 unless told otherwise.

    Raises
    ------
    SettingsError, NetlistError
        If a setting or the BUILD cannot be used, or nothing would be disturbed.
    """
    if chip is None and chip_seed is not None:
        raise SettingsError(f"--chip-seed {chip_seed} is of no use without --chip BUILD:m")
    if chip is not None:
        if kind not in (None, "twin"):
            raise SettingsError(f"--chip is trained for through the twin, not by --noise {kind}")
        folder, _, number = chip.rpartition(":")
        if not folder or not number.isdecimal():
            raise SettingsError(f"--chip {chip!r} is not BUILD:m, such as mnist.build:7")
        build = load_build(Path(folder))
        build.require_unedited()
        deck = build.one_deck()
        found = load_settings(variation or "rram", settings, base=deck.hardware)
        names = tuple(curve.name for curve in build.spec.layers[0].curves)
        return ThroughChips(
            *found, chip=(chip_seed or 0, int(number)), network=(build.spec.sizes, names)
        )
    if variation is None and not settings:
        if kind is not None:
            raise SettingsError(
                f"noise {kind} needs what differs in a chip: --variation or --set, in Python "
                "preset= or variation="
            )
        return None
    kind = kind or "multiplicative"
    hardware, drawn, conditions = load_settings(variation, settings)
    if kind == "twin":
        return ThroughChips(hardware, drawn, conditions)
    ignored = [key for key in parse_assignments(settings) if key not in NOISE_SETTINGS[kind]]
    if ignored:
        raise SettingsError(
            f"--noise {kind} takes nothing from --set {ignored[0]}: it disturbs by "
            f"{', '.join(NOISE_SETTINGS[kind])}; give --noise twin for whole chips"
        )
    sigma = {kind: getattr(drawn, NOISE_SETTINGS[kind][0]) for kind in NOISE_SETTINGS}
    other = next(name for name in sigma if name != kind)
    if sigma[other] and not sigma[kind]:
        raise SettingsError(
            f"--noise {kind} takes {NOISE_SETTINGS[kind][0]}, but {variation or '--set'} has "
            f"{NOISE_SETTINGS[other][0]} = {sigma[other]:g}: give --noise {other}, or --noise twin"
        )
    return Noise(
        kind=kind,
        sigma=sigma[kind],
        diode_current=drawn.diode_sigma_current,
        diode_voltage=drawn.diode_sigma_voltage,
        diode_shift=drawn.diode_sigma_shift,
        die_current=drawn.die_sigma_current,
        die_voltage=drawn.die_sigma_voltage,
        die_shift=drawn.die_sigma_shift,
    )


def run_training(
    request: TrainingRequest, *, on_epoch: Callable[[Epoch], None] = lambda epoch: None
) -> dict[str, Any]:
    """Train, read the test set once, write checkpoint and card; the figures as a dictionary.

    Raises
    ------
    SettingsError, DataError, DeviceError, CheckpointError
        If the recipe, the data, a device or an unfinished training in the way cannot be used, or
        another process is training the same ``out``.
    """
    plan, out = request.plan(), request.out
    checkpoint.require_replaceable(out)
    out.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(out.with_name(out.name + ".lock"))
    try:
        lock.acquire(timeout=0)
    except Timeout as error:
        raise CheckpointError(
            f"{out} is being trained by another process: wait for it, or give another --out"
        ) from error
    try:
        remove_partials(out, out.with_suffix(".md"), _state(out))
        with logged_from_the_first(out.with_suffix(".log.txt"), "train", request.command) as count:
            total = request.epochs_in_all()
            return _run(request, plan, lambda e: (count(e.number, total), on_epoch(e))[1])
    finally:
        Path(lock.lock_file).unlink(missing_ok=True)
        lock.release()


def _state(out: Path) -> Path:
    """Where the unfinished training of ``out`` is."""
    return out.with_name(out.name + ".training")


def _run(
    request: TrainingRequest, plan: Recipe, on_epoch: Callable[[Epoch], None]
) -> dict[str, Any]:
    out, card = request.out, request.out.with_suffix(".md")
    require_ours(card, "card of a model", is_card, give="--out", error=CheckpointError)
    start = None
    if request.start is not None:
        if request.devices is not None:
            raise SettingsError(
                "--devices with --from: the model's devices are part of it, so leave --devices out"
            )
        if out.resolve() == request.start.resolve():
            raise CheckpointError(f"--out {out} is the model of --from: give another --out")
        model, before = checkpoint.load(request.start)
        start = (model, before)
        if request.prune is not None:
            parse_allowed(request.prune, before.task)  # a loss that is none is refused at once
    else:
        if request.devices is None and not plan.devices:
            raise SettingsError(
                f"recipe {request.recipe} names no devices, it trains a model on: give it with "
                "--from MODEL.pt, or --devices A21,Z21"
            )
        resolve(plan.devices)  # a device that is none is refused before the data are read
    images = _load(request, "train", "" if start is None else before.task)
    if request.holdout:
        images, held = hold_out(images, request.holdout)
        what, judged = "held-out training", held
    else:
        what = "test"
        judged = _load(request, "test", images.task)
    _check_data(images, judged, what, request, plan, None if start is None else before)
    encoding = input_encoding(images, plan) if start is None else before.encoding
    encoding.volts(judged.flat(encoding.shape))  # its width and unit, before hours of training
    earlier: dict[str, Any] = {}
    if request.start is not None:
        kept_back = bool(request.holdout)
        earlier = reached_before(request.start, before, judged, kept_back=kept_back)
    chips = chips_of(request.disturbance)
    state = _state(out)
    done, pruned = train_or_prune(
        images, start, request.prune, state, recipe=plan, seed=request.seed, on_epoch=on_epoch,
        disturbance=request.disturbance, device=request.device,
    )  # fmt: skip
    about: dict[str, Any] = {"name": out.stem, "dataset": images.name}
    about |= {"calibration": done.calibration, "targets": done.targets}
    spec = done.model.to_spec(done.encoding, **about)
    found = evaluate(spec, judged, f"{_called(images)} {what}, read once", images)
    recipe = Path(request.recipe).stem
    origin: dict[str, Any] = {
        "command": request.command, "recipe": recipe, "seed": request.seed,
        "data": images.file or images.name,
        **facts_of(request.device),
    }  # fmt: skip
    told = pruned | earlier
    if request.start is not None:
        origin["from"] = sha256(request.start)
    if chips is not None:
        told |= on_chips(chips, spec, judged, None if start is None else before)
    checkpoint.save(
        done.model,
        out,
        encoding=done.encoding,
        **about,
        training=origin | {"card": found.reached(judged).document()} | told,
    )
    facts = _facts(request, plan, images, origin) | card_rows(told, found.unit)
    facts |= {key: saved_said(saved) for key, saved in pruned.items()}
    parameters = parameter_count(done.model)
    write_card(
        card, spec, found, model=out, command=request.command, facts=facts, parameters=parameters
    )
    state.unlink(missing_ok=True)
    return {
        "model": str(out),
        "card": str(card),
        "dataset": images.name,
        "recipe": recipe,
        "seed": request.seed,
        "epochs": plan.epochs,
        "parameters": parameters,
        "evaluated_on": what,
        "images": judged.facts(),
        "n": found.n,
        **found.document(),
        "out_of_range": found.out_of_range,
        "hidden_volts": found.hidden_volts,
        **told,
    }


def _called(images: ImageSet) -> str:
    """The file that they were read from, or the set's name."""
    return Path(images.file).name or images.name


def _load(request: TrainingRequest, split: str, task: str) -> ImageSet:
    """The training or test set; ``task`` is the model's, where the request says none."""
    return load_dataset(
        request.dataset, split, request.data, download=request.download,
        task=request.task or task, targets=request.targets,
    )  # fmt: skip


def _check_data(
    images: ImageSet,
    judged: ImageSet,
    what: str,
    request: TrainingRequest,
    plan: Recipe,
    before: NetworkSpec | None,
) -> None:
    """Refuse data that do not suit the recipe, the model that is trained on, or each other."""
    check_task(images, plan.task, Path(request.recipe).stem, request.task)
    if before is not None:
        check_answers(images, before)
        check_answers(judged, before)
    elif images.task == CLASSIFICATION:
        check_trained(judged, images, what)
        check_labels(judged, count_classes(images), request.out.stem)


def _facts(
    request: TrainingRequest, plan: Recipe, images: ImageSet, origin: dict[str, Any]
) -> dict[str, str]:
    """What the card says of how the model was made."""
    facts = {
        "recipe, seed": f"{origin['recipe']}, {request.seed}; {plan.epochs} epochs on "
        f"{len(images):,} images of {_called(images)}",
        "made with": f"analogkan {__version__}, torch {torch.__version__}, "
        f"{torch.get_num_threads()} threads"
        + (f", on {origin['device']} ({origin['gpu']})" if "gpu" in origin else ""),
    }
    if request.start is not None:
        facts["trained on from"] = f"{request.start.name}, sha256 `{origin['from']}`"
    if request.disturbance is not None:
        settings = {k: v for k, v in request.disturbance.document().items() if v}
        facts["disturbed by"] = ", ".join(f"{key} {value}" for key, value in settings.items())
    return facts
