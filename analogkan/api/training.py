# pyright: strict
"""Training a network, for hardware or for none."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..compiler.build import Build
from ..compiler.hardware import Hardware
from ..errors import SettingsError
from ..imperfections import Conditions, Variation
from ..network.spec import NetworkSpec
from ..objects import as_path, check_flags, require_type
from . import given
from .given import AnyPath, AnyPreset, Values
from .progress import shown_progress
from .results import Trained

if TYPE_CHECKING:
    from ..training.fit import Epoch


def train(
    dataset: AnyPath,
    out: AnyPath,
    *,
    recipe: AnyPath | None = None,
    start: AnyPath | None = None,
    prune: str | None = None,
    devices: str | list[str] | None = None,
    data: AnyPath = "data",
    download: bool = False,
    task: str = "",
    targets: str | int | list[str] = "",
    preset: AnyPreset | None = None,
    hardware: AnyPath | Hardware | Values | None = None,
    variation: AnyPath | Variation | Values | None = None,
    conditions: AnyPath | Conditions | Values | None = None,
    noise: str | None = None,
    chip: tuple[Any, int] | None = None,
    chip_seed: int | None = None,
    seed: int = 0,
    epochs: int | None = None,
    device: str = "cpu",
    holdout: int | None = None,
    progress: bool = True,
) -> Trained:
    """Train a TD-KAN by a recipe and write its checkpoint and card.

    Parameters
    ----------
    dataset, data, download, task, targets
        As for ``load_dataset``: its training images train, its test images are read once.
    out
        The checkpoint to write, a ``.pt`` file; its card goes beside it as ``.md``. A training
        that was stopped goes on.
    recipe
        A shipped name, such as ``mnist-d2-short``, or a TOML file; with ``start`` it is
        ``finetune`` unless said.
    start
        A model to train on: its network and input range stay.
    prune
        Remove the edges of ``start`` that matter least, train on shortly, and lose no more than
        this on the training set: ``"0.1pp"`` of accuracy, or ``"5%"`` of an RMSE.
    devices
        Instead of the recipe's: names or device files, ``"A21,./mine.toml"`` or a list.
    preset, hardware, variation, conditions
        As for ``montecarlo``: what every batch is disturbed by; by default nothing. ``preset`` is
        what the command line calls ``--variation``.
    noise
        ``multiplicative`` (unless said), ``additive``, or ``twin`` for whole chips.
    chip
        Train for one chip alone: a BUILD or its folder, and the chip's number in ``montecarlo``.
    chip_seed
        ``seed`` of the study that the chip is in.
    seed
        Of all that is drawn.
    epochs
        Instead of the recipe's.
    device
        Where it is computed: ``cpu``, or a GPU as torch calls it, ``cuda``. What is drawn is the
        same; an unfinished training goes on where it was alone.
    holdout
        Keep so many training images back and report on them; the test set is not read.
    progress
        Show a bar in a notebook or on a terminal, elsewhere a line a minute on stderr.

    Raises
    ------
    SettingsError, DataError, DeviceError, CheckpointError
        If the recipe, the data, a device or an unfinished training in the way cannot be used.

    Examples
    --------
    >>> images = ak.load_bundled()
    >>> np.savez("digits.npz", x=images.x.reshape(-1, 14, 14), y=images.y)
    >>> made = ak.train("digits.npz", "digits.pt", recipe="mnist-d2-short", epochs=1)
    >>> made.summary["n"]
    200
    """
    from ..training.run import TrainingRequest, run_training

    if recipe is None and start is None:
        raise SettingsError("recipe is missing: how to train, such as recipe='mnist-d2-short'")
    given.check_whole(seed=seed, chip_seed=chip_seed, epochs=epochs, holdout=holdout)
    check_flags(download=download)
    require_type(prune, (str, type(None)), "prune", "a text, '0.1pp' or '5%'")
    require_type(device, str, "device", "cpu, or a GPU as torch calls it")
    require_type(task, str, "task", "classification or regression")
    require_type(targets, (str, int, list, tuple), "targets", "names of columns, or how many")
    require_type(devices, (str, list, tuple, type(None)), "devices", "names, or device files")
    asked = {"hardware": hardware, "variation": variation, "conditions": conditions}
    request = TrainingRequest(
        dataset=str(as_path(dataset, "dataset", "a data set's name or an npz file")),
        recipe=str(as_path(recipe or "finetune", "recipe", "a recipe's name or a TOML file")),
        devices=devices if devices is None or isinstance(devices, str) else ",".join(devices),
        out=as_path(out, "out"),
        data=as_path(data, "data"),
        download=download,
        task=task,
        targets=",".join(targets) if isinstance(targets, (list, tuple)) else str(targets),
        seed=seed,
        epochs=epochs,
        holdout=holdout,
        disturbance=_disturbance(noise, preset, asked, chip, chip_seed),
        start=None if start is None else _started(start),
        prune=prune,
        device=device,
    )
    total = request.epochs_in_all()
    with shown_progress(progress) as on_progress:

        def on_epoch(epoch: Epoch) -> None:
            said = f"training {request.out.stem}: {epoch.said}"
            on_progress(said, epoch.number, total)

        found = run_training(request, on_epoch=on_epoch)
    return Trained(summary=found, model=Path(found["model"]), card=Path(found["card"]))


def _started(start: Any) -> Path:
    """The checkpoint to train on; what is none in memory is told how to become one."""
    wanted = "a model's name or a checkpoint"
    if isinstance(start, Build):
        wanted = "the checkpoint it was compiled from, or what save(build.spec, 'mine.pt') writes"
    elif isinstance(start, NetworkSpec):
        wanted = "what save(spec, 'mine.pt') writes of it"
    elif hasattr(start, "named_children"):
        wanted = "what save(module, 'mine.pt', encoding=...) writes of it"
    return as_path(start, "start", wanted)


def _disturbance(
    noise: str | None, preset: Any, asked: Values, chip: Any, chip_seed: int | None
) -> Any:
    """What every batch goes through; None where nothing is asked for."""
    from ..training.run import disturbance_of

    base, otherwise, words = None, None, None
    if chip is not None:
        require_type(chip, tuple, "chip", "a BUILD and a number, ('mnist.build', 7)")
        if len(chip) != 2:
            raise SettingsError(f"chip has {len(chip)} entries: a BUILD and the chip's number")
        circuit, number = given.circuit(chip[0]), chip[1]
        given.check_whole(chip=number)
        base, otherwise, words = circuit.hardware, "rram", f"{circuit.folder}:{number}"
    named, texts = given.settings_texts(preset, base, asked, otherwise=otherwise)
    return disturbance_of(noise, named, texts, words, chip_seed)
