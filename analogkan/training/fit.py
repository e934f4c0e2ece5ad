"""The training loop: resumable after every epoch, and reproducible from its seed."""

from __future__ import annotations

import contextlib
import copy
import dataclasses
import hashlib
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional

from ..data import ImageSet, stratified
from ..data.images import check_labels, count_classes
from ..devices import resolve
from ..errors import CheckpointError, DataError, DivergedError, SettingsError
from ..network.checkpoint import write_torch
from ..network.encoding import Encoding
from ..network.entries import digest
from ..network.model import TDKAN, TDKANConfig
from ..network.patches import Patches
from ..network.squash import Squash
from ..network.torchfile import check_size, read_torch
from .augment import Augmentation, augmented
from .noise import Disturbance
from .recipe import Recipe

CALIBRATION_IMAGES = 256
FUSED_FROM = 1_000_000
"""Parameters from which on Adam is fused: seven times as fast there, other last bits."""
MAX_INPUT = 1e30
"""Training is in float32."""
NOISE_STREAM = 1_000_000
"""Added to an epoch's number for what disturbs it: its order and augmentation stay as they are."""


@dataclass(frozen=True)
class Epoch:
    """Progress after an epoch: its number from 1, of how many, mean loss, training accuracy."""

    number: int
    total: int
    loss: float
    accuracy: float


@dataclass(frozen=True)
class Trained:
    """A finished training: the model in evaluation mode, its encoding, its calibration (N, I)."""

    model: TDKAN
    encoding: Encoding
    calibration: np.ndarray


def train(
    images: ImageSet,
    recipe: Recipe,
    *,
    seed: int = 0,
    state: Path | None = None,
    on_epoch: Callable[[Epoch], None] = lambda epoch: None,
    disturbance: Disturbance | None = None,
    start: tuple[TDKAN, Encoding] | None = None,
) -> Trained:
    """Train on ``images``.

    Parameters
    ----------
    images
        The training set.
    recipe
        What to do.
    seed
        Of the initial coefficients and of every epoch's order and augmentation.
    state
        A file that is written after every epoch but the last and read if it is there.
        Who asked for it removes it when the result is safe.
    on_epoch
        Called after every epoch.
    disturbance
        What each batch goes through instead of the network itself: training for hardware.
    start
        A trained model to begin with, and its encoding, instead of the recipe's network. Its
        BatchNorms stay the affine maps that they are: their statistics are not taken anew.

    Raises
    ------
    DataError
        If the images do not suit the recipe; DivergedError if the loss is no longer a number.
    CheckpointError
        If ``state`` belongs to another recipe, seed, training set, or table of a device.
    """
    if len(images) < 2:
        raise DataError(f"{images.name} has one training image: at least two are needed")
    encoding = input_encoding(images, recipe) if start is None else start[1]
    shape = encoding.shape
    clean_x = images.flat(shape)
    clean = _volts(torch.from_numpy(clean_x.astype(np.float32)), encoding)
    labels = torch.from_numpy(images.y)
    how = recipe.augmentation()
    check_augmentable(images, how)
    raw = torch.tensor(images.x) if how.augments else None

    if start is None:
        model = TDKAN(config_of(recipe, shape, count_classes(images)))
        for layer in model.layers:
            layer.bias.requires_grad_(recipe.biases)
        model.initialise(
            recipe.init_phi2, generator_of(seed, 0), gamma=recipe.norm_gain, beta=recipe.norm_offset
        )
    else:
        check_labels(images, start[0].config.sizes[-1])
        encoding.volts(clean_x)  # their unit must be the model's
        model = copy.deepcopy(start[0]).float()
    model.clip_sigma = recipe.clip_sigma
    optimiser = adam(model, recipe.learning_rate)
    steps = -(-len(labels) // recipe.batch)
    schedule = _schedule(optimiser, recipe, recipe.epochs * steps)
    parts = {"model": model, "optimiser": optimiser, "schedule": schedule}
    key = _key(recipe, model, seed, images)
    chosen = stratified(images.y, min(CALIBRATION_IMAGES, len(images)))
    if start is not None:
        key += hashlib.sha256(b"".join(_bytes(model))).hexdigest()
    if disturbance is not None:
        if model.config.patches:
            raise SettingsError(
                "training for hardware takes networks without convolutions: leave out --noise and "
                "--variation"
            )
        key += repr(disturbance.document())
        disturbance.prepare(encoding, clean_x[chosen])
    first = resume(state, key, parts)

    for number in range(first + 1, recipe.epochs + 1):
        generator = generator_of(seed, number)
        volts = clean
        if raw is not None:
            volts = _volts(augmented(raw, shape, how, generator), encoding)
        order = torch.randperm(len(labels), generator=generator)
        forward = disturbed_forward(model, disturbance, seed, number)
        loss, correct = _run_epoch(
            model, optimiser, schedule, volts, labels, order, recipe, forward, start is None
        )
        if not np.isfinite(loss):
            raise DivergedError(
                f"training diverged in epoch {number} (loss {loss}): lower learning_rate from "
                f"{recipe.learning_rate:g}"
            )
        if state is not None and number < recipe.epochs:
            save_state(state, key, number, parts)
        on_epoch(Epoch(number, recipe.epochs, loss, correct / len(labels)))

    model.bake_clipping()
    model.eval()
    if start is None:
        _exact_norms(model, clean)
    return Trained(model, encoding, clean_x[chosen])


def adam(model: torch.nn.Module, learning_rate: float) -> torch.optim.Adam:
    """Adam (0.9, 0.999) on what of ``model`` is trained."""
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    large = sum(parameter.numel() for parameter in trained) >= FUSED_FROM
    return torch.optim.Adam(trained, lr=learning_rate, fused=large or None)


@contextlib.contextmanager
def threads_for(model: torch.nn.Module) -> Iterator[None]:
    """One thread for the batches of a small network without convolutions.

    Several would wait for each other, far longer where other programs have the cores, and give
    other last bits.
    """
    before = torch.get_num_threads()
    shared = isinstance(model, TDKAN) and bool(model.config.patches)
    if not shared and sum(p.numel() for p in model.parameters()) < FUSED_FROM:
        torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def check_augmentable(images: ImageSet, how: Augmentation) -> None:
    """Raise DataError unless ``images`` can be changed as ``how`` says."""
    x = images.x
    colour = x.ndim == 4 and x.shape[3] == 3 and not how.affine
    if how.augments and (x.dtype != np.uint8 or not (x.ndim == 3 or colour)):
        raise DataError(
            f"the recipe augments 8-bit images (n, H, W), or (n, H, W, 3) if it leaves out "
            f"rotate_deg, scale, shear and shift_px, but x is {x.dtype} of shape {x.shape}: use a "
            "recipe that augments less"
        )


def config_of(recipe: Recipe, shape: tuple[int, ...], n_out: int) -> TDKANConfig:
    """A recipe's network for inputs of ``shape``: (height, width[, channels]), or any if dense.

    Raises
    ------
    SettingsError, DataError, CheckpointError
        If the squash leaves a device's range, or the convolutions do not fit the inputs, the squash
        or the norm.
    """
    squash, curves = Squash(), resolve(recipe.devices)
    if recipe.squash != "none":
        squash = Squash(
            kind=recipe.squash, v_lo=recipe.range_lo, v_hi=recipe.range_hi, slope=recipe.slope
        )
    beyond = squash.beyond(curves)
    if beyond and not recipe.beyond_measured:
        raise SettingsError(f"{beyond}: change range_lo, range_hi, or say beyond_measured = true")
    if recipe.convolutions and len(shape) not in (2, 3):
        raise DataError(f"inputs of shape {shape} are no images for the recipe's convolutions")
    sizes, patches = [math.prod(shape)], []
    height, width, channels = (*shape, 1)[:3] if recipe.convolutions else (1, 1, 1)
    for outputs, kernel, stride, padding in recipe.convolutions:
        try:
            seen = Patches(
                height=height, width=width, channels=channels,
                kernel=kernel, stride=stride, padding=padding,
            )  # fmt: skip
        except CheckpointError as error:
            raise SettingsError(f"convolution {len(patches)} of the recipe: {error}") from error
        height, width, channels = seen.rows, seen.columns, outputs
        sizes.append(seen.count * outputs)
        patches.append(seen)
    return TDKANConfig(
        sizes=(*sizes, *recipe.hidden, n_out), curves=curves, squash=squash, norm=recipe.norm,
        patches=tuple(patches),
    )  # fmt: skip


def _schedule(optimiser, recipe: Recipe, steps: int) -> torch.optim.lr_scheduler.LRScheduler:
    if recipe.schedule == "cosine":
        return torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    return torch.optim.lr_scheduler.ConstantLR(optimiser, factor=1.0)


def input_encoding(images: ImageSet, recipe: Recipe) -> Encoding:
    """From the training set's values to the recipe's volts; DataError if they are all equal."""
    if images.x.dtype == np.uint8:
        x_lo, x_hi = 0.0, 255.0
    else:
        x_lo, x_hi = float(images.x.min()), float(images.x.max())
        if x_lo == x_hi:
            raise DataError(f"every input value of {images.name} is {x_lo:g}: nothing to learn")
        if max(-x_lo, x_hi) > MAX_INPUT:
            raise DataError(
                f"input values reach {max(-x_lo, x_hi):g}, above {MAX_INPUT:g}: rescale them"
            )
    shape = tuple(recipe.resize or images.x.shape[1:])
    return Encoding(x_lo=x_lo, x_hi=x_hi, v_lo=recipe.v_lo, v_hi=recipe.v_hi, shape=shape)


def _volts(x: torch.Tensor, e: Encoding) -> torch.Tensor:
    return e.v_lo + (x - e.x_lo) * ((e.v_hi - e.v_lo) / (e.x_hi - e.x_lo))


def _key(recipe: Recipe, model: TDKAN, seed: int, images: ImageSet) -> str:
    """A text that only the same training has."""
    content = hashlib.sha256(images.x.tobytes() + images.y.tobytes()).hexdigest()
    tables = b"".join(curve.v.tobytes() + curve.i.tobytes() for curve in model.config.curves)
    devices = hashlib.sha256(tables).hexdigest()  # a device file may change behind its name
    return repr((dataclasses.asdict(recipe), devices, seed, images.name, images.x.shape, content))


def _bytes(model: TDKAN) -> list[bytes]:
    return [tensor.numpy().tobytes() for tensor in model.state_dict().values()]


def _driven(recipe: Recipe, model: TDKAN) -> tuple[float, float]:
    """Volts that hidden nodes should keep to: the recipe's, as far as every device's table goes."""
    curves = model.config.curves
    return (
        max(recipe.range_lo, *(curve.v[0] for curve in curves)),
        min(recipe.range_hi, *(curve.v[-1] for curve in curves)),
    )


def generator_of(seed: int, stream: int) -> torch.Generator:
    """An independent generator for each (seed, stream), so that an epoch can be run again alone."""
    words = np.random.SeedSequence((seed, stream)).generate_state(1, np.uint64)
    return torch.Generator().manual_seed(int(words[0] >> np.uint64(1)))


def disturbed_forward(
    model: TDKAN, disturbance: Disturbance | None, seed: int, epoch: int
) -> Callable[[torch.Tensor], tuple[torch.Tensor, list[torch.Tensor]]]:
    """From volts (B, I) to logits and hidden voltages, in an epoch of a training with ``seed``."""
    if disturbance is None:
        return model.forward_with_hidden
    generator = generator_of(seed, NOISE_STREAM + epoch)
    return lambda volts: disturbance.forward(model, volts, generator)


def _run_epoch(
    model, optimiser, schedule, volts, labels, order, recipe, forward, takes_statistics
) -> tuple[float, int]:
    """One pass; mean loss and number of correct answers while training."""
    model.train()
    for norm in model.norms:
        norm.train(takes_statistics)
    total, correct = 0.0, 0
    # A squash with a slope keeps its diodes in range by itself.
    penalised = recipe.range_penalty and not model.config.squash.bends
    lo, hi = _driven(recipe, model)
    with threads_for(model):
        for start in range(0, len(order), recipe.batch):
            index = order[start : start + recipe.batch]
            if len(index) == 1:
                continue  # batch statistics of one image are not defined
            logits, hidden = forward(volts[index])
            loss = functional.cross_entropy(logits, labels[index])
            for z in hidden if penalised else ():
                outside = (lo - z).relu().square() + (z - hi).relu().square()
                loss = loss + recipe.range_penalty * outside.mean()
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
            total += float(loss.detach()) * len(index)
            correct += int((logits.detach().argmax(1) == labels[index]).sum())
    return total / len(order), correct


@torch.no_grad()
def _exact_norms(model: TDKAN, volts: torch.Tensor) -> None:
    """Replace BatchNorm's running statistics by those of the whole clean training set."""
    for k, norm in enumerate(model.norms):
        if not isinstance(norm, torch.nn.BatchNorm1d):
            continue
        n, mean, squares = 0, torch.zeros(()).double(), torch.zeros(()).double()
        for block in volts.split(1024 if model.config.patches else 4096):
            v = block
            for j in range(k + 1):
                v = model.layers[j](model.squashed(model.normed(j, v)))
            z = v.view(-1, norm.num_features).double()
            # Chan, Golub and LeVeque: means and sums of squares of two groups make those of both.
            step, own = z.mean(0) - mean, z.var(0, unbiased=False) * len(z)
            squares = squares + own + step**2 * (n * len(z) / (n + len(z)))
            mean = mean + step * (len(z) / (n + len(z)))
            n += len(z)
        assert norm.running_mean is not None and norm.running_var is not None
        norm.running_mean.copy_(mean)
        norm.running_var.copy_(squares / n)


def resume(state: Path | None, key: str, parts: dict) -> int:
    """Load ``state`` into ``parts`` if it is there; the number of epochs that are done."""
    if state is None or not state.exists():
        return 0
    anew = "remove it to start anew"
    try:
        stored = read_torch(state, missing=anew, unsafe=anew, kind="a training").content
        check_size(stored, state.stat().st_size)
        told, stored_key = stored.pop("sha256"), stored["key"]
        if digest(stored) != told:
            raise ValueError("it is not what was written")
    except Exception as error:  # what is no dictionary raises several kinds
        raise CheckpointError(f"{state} cannot be read: {anew}") from error
    if stored_key != key:
        raise CheckpointError(
            f"{state} is an unfinished training with another recipe, seed, device or data set: "
            "remove it to start anew, or give another --out"
        )
    try:
        for name, part in parts.items():
            part.load_state_dict(stored[name])
        return int(stored["epoch"])
    except Exception as error:  # torch's parts raise several kinds for what is not theirs
        raise CheckpointError(f"{state} cannot be read: {anew}") from error


def save_state(state: Path, key: str, epoch: int, parts: dict) -> None:
    """Write how far a training is, with the hash that vouches for it."""
    entry = {name: part.state_dict() for name, part in parts.items()}
    entry = {"key": key, "epoch": epoch, **entry}
    write_torch(entry | {"sha256": digest(entry)}, state)
