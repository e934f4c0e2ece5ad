"""The training loop: resumable after every epoch, and reproducible from its seed."""

from __future__ import annotations

import contextlib
import copy
import dataclasses
import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from ..data import ImageSet
from ..data.images import check_answers
from ..data.subset import typical
from ..engines.arithmetic import CPU
from ..errors import DataError, DivergedError, SettingsError
from ..network.config import TDKANConfig
from ..network.encoding import Encoding
from ..network.model import TDKAN
from ..network.spec import NetworkSpec
from ..network.targets import Targets
from ..threads import one_blas_thread
from .adam import FUSED_FROM, Rate, adam, constant, cosine
from .augment import Augmentation, augmented
from .goals import Goal, goal_of
from .noise import Disturbance
from .outline import config_of, input_encoding
from .recipe import Recipe
from .unfinished import resume, save_state

CALIBRATION_IMAGES = 256
HISTORY = 50
"""Steps that L-BFGS remembers."""
NOISE_STREAM = 1_000_000
"""Added to an epoch's number for what disturbs it: its order and augmentation stay as they are."""


@dataclass(frozen=True)
class Epoch:
    """Progress after an epoch: its number from 1, of how many, mean loss, and, in words, how near
    the training set is."""

    number: int
    total: int
    loss: float
    said: str


@dataclass(frozen=True)
class Trained:
    """A finished training: the model in evaluation mode, its encoding, its calibration (N, I), and
    what a regression's outputs stand for."""

    model: TDKAN
    encoding: Encoding
    calibration: np.ndarray
    targets: Targets | None = None


def train(
    images: ImageSet,
    recipe: Recipe,
    *,
    seed: int = 0,
    state: Path | None = None,
    on_epoch: Callable[[Epoch], None] = lambda epoch: None,
    disturbance: Disturbance | None = None,
    start: tuple[TDKAN, NetworkSpec] | None = None,
    network: Callable[[TDKANConfig], TDKAN] = TDKAN,
    device: str = CPU,
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
        A trained model to begin with, twice, instead of the recipe's network. Its
        BatchNorms stay the affine maps that they are: their statistics are not taken anew. Edges
        that are exactly zero, as pruning leaves them, stay so.
    network
        What makes a network of the recipe's outline, such as ``DeviceMLP``.
    device
        Where it is computed, by torch's name. All is drawn on the CPU, so that it is the same; the
        model comes back from there. An unfinished training goes on where it was alone.

    Raises
    ------
    DataError
        If the images do not suit the recipe; DivergedError if the loss is no longer a number.
    CheckpointError
        If ``state`` belongs to another recipe, seed, training set, or table of a device.
    """
    if len(images) < 2:
        raise DataError(f"{images.name} has one training image: at least two are needed")
    encoding = input_encoding(images, recipe) if start is None else start[1].encoding
    goal = goal_of(images, None if start is None else start[1].targets)
    shape = encoding.shape
    clean_x = images.flat(shape)
    clean = encoding.applied(torch.from_numpy(clean_x.astype(np.float32)).to(device))
    wanted = (goal.wanted if goal.targets is None else goal.wanted.float()).to(device)
    how = recipe.augmentation()
    check_augmentable(images, how)
    raw = torch.tensor(images.x, device=device) if how.augments else None

    if start is not None:
        check_answers(images, start[1])
        encoding.volts(clean_x)  # their unit must be the model's
    model = (
        _first(recipe, shape, goal, seed, network).to(device)
        if start is None
        else _again(start[0], device)
    )
    model.clip_sigma = recipe.clip_sigma
    optimiser = adam(model, rate_of(recipe, len(wanted)))
    parts = {"model": model, "optimiser": optimiser}
    key = _key(recipe, model, seed, images) + ("" if device == CPU else device)
    chosen = typical(images.y, min(CALIBRATION_IMAGES, len(images)))
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
            volts = encoding.applied(augmented(raw, shape, how, generator))
        order = torch.randperm(len(wanted), generator=generator).to(device)
        forward = disturbed_forward(model, disturbance, seed, number)
        # Drawing chips asks for one thread of BLAS, which is dear to ask for and cheap to keep.
        with threads_for(model), one_blas_thread if disturbance else contextlib.nullcontext():
            loss, score = _run_epoch(
                model, optimiser, volts, goal, wanted, order, recipe, forward, not start
            )
        if not np.isfinite(loss):
            raise DivergedError(
                f"training diverged in epoch {number} (loss {loss}): lower learning_rate from "
                f"{recipe.learning_rate:g}"
            )
        if state is not None and number < recipe.epochs:
            save_state(state, key, number, parts)
        on_epoch(Epoch(number, recipe.epochs, loss, goal.said(score / len(wanted))))

    model.bake_clipping()
    model.eval()
    if start is None:
        _exact_norms(model, clean)
    if recipe.finish and disturbance is None:
        exact = torch.from_numpy(encoding.applied(clean_x.astype(np.float64)))
        _finish(model, recipe, goal, exact.to(device))
    return Trained(model.to(CPU), encoding, clean_x[chosen], goal.targets)


def _first(
    recipe: Recipe,
    shape: tuple[int, ...],
    goal: Goal,
    seed: int,
    network: Callable[[TDKANConfig], TDKAN],
) -> TDKAN:
    """The recipe's network before its first epoch."""
    model = network(config_of(recipe, shape, goal.outputs, taps=max(1, len(recipe.taps))))
    for layer in model.layers:
        layer.bias.requires_grad_(recipe.biases)
    generator = generator_of(seed, 0)
    model.initialise(recipe.init_phi2, generator, gamma=recipe.norm_gain, beta=recipe.norm_offset)
    return model


def _finish(model: TDKAN, recipe: Recipe, goal: Goal, volts: torch.Tensor) -> None:
    """Go on with L-BFGS on all of ``volts`` (n, I), with the norms as they are."""
    wanted = goal.wanted.to(volts.device)

    def loss() -> torch.Tensor:
        given, hidden = model.forward_with_hidden(volts)
        return _penalised(goal.loss(given, wanted), model, recipe, hidden)

    least(model, loss, recipe.finish)
    model.float()


def least(model: torch.nn.Module, loss: Callable[[], torch.Tensor], iterations: int) -> None:
    """Make ``loss`` small by L-BFGS, ``model`` in float64."""
    model.double()
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimiser = torch.optim.LBFGS(
        trained, max_iter=iterations, history_size=HISTORY, line_search_fn="strong_wolfe",
        tolerance_grad=0.0, tolerance_change=0.0,
    )  # fmt: skip

    def once() -> float:
        optimiser.zero_grad()
        found = loss()
        found.backward()
        return float(found.detach())

    with threads_for(model):
        optimiser.step(once)


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


def _again(trained: TDKAN, device: str) -> TDKAN:
    """A copy to train on. Edges that are zero have no cells to train: so are their gradients."""
    model = copy.deepcopy(trained).float().to(device)
    for layer in model.layers:
        n_in, n_out, n_dev = layer.shape
        edges = layer.weight.detach().view(n_out, n_in, n_dev)
        there = (edges != 0).any(dim=2, keepdim=True).expand_as(edges).reshape(n_out, -1)
        if not bool(there.all()):
            layer.weight.register_hook(lambda gradient, there=there: gradient * there)
    return model


def rate_of(recipe: Recipe, images: int) -> Rate:
    """The learning rate of every step of a training with so many ``images``."""
    steps = -(-images // recipe.batch) * recipe.epochs
    cosines = recipe.schedule == "cosine"
    return cosine(recipe.learning_rate, steps) if cosines else constant(recipe.learning_rate)


def _key(recipe: Recipe, model: TDKAN, seed: int, images: ImageSet) -> str:
    """A text that only the same training has."""
    content = hashlib.sha256(images.x.tobytes() + images.y.tobytes()).hexdigest()
    curves = {id(curve): curve for layer in model.layers for curve in layer.basis.curves}.values()
    tables = b"".join(curve.v.tobytes() + curve.i.tobytes() for curve in curves)
    devices = hashlib.sha256(tables).hexdigest()  # a device file may change behind its name
    return repr((dataclasses.asdict(recipe), devices, seed, images.name, images.x.shape, content))


def _bytes(model: TDKAN) -> list[bytes]:
    return [tensor.cpu().numpy().tobytes() for tensor in model.state_dict().values()]


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
    model, optimiser, volts, goal, wanted, order, recipe, forward, takes_statistics
) -> tuple[float, float]:
    """One pass; mean loss and summed score while training."""
    model.train()
    for norm in model.norms:
        norm.train(takes_statistics)
    total, score = 0.0, 0.0
    for start in range(0, len(order), recipe.batch):
        index = order[start : start + recipe.batch]
        if len(index) == 1:
            continue  # batch statistics of one image are not defined
        of_batch = wanted[index]
        some = volts.index_select(0, index)
        loss, given = step(model, optimiser, some, goal, of_batch, recipe, forward)
        total += float(loss) * len(index)
        score += goal.score(given, of_batch)
    return total / len(order), score


def step(
    model, optimiser, volts, goal, wanted, recipe, forward
) -> tuple[torch.Tensor, torch.Tensor]:
    """Go on by one batch (B, I); its loss, and what outputs (B, O) were."""
    given, hidden = forward(volts)
    loss = _penalised(goal.loss(given, wanted), model, recipe, hidden)
    optimiser.zero_grad()
    loss.backward()
    optimiser.step()
    return loss.detach(), given.detach()


def _penalised(
    loss: torch.Tensor, model: TDKAN, recipe: Recipe, hidden: Sequence[torch.Tensor]
) -> torch.Tensor:
    """``loss``, and what hidden voltages (B, width) outside the range cost.

    A squash with a slope keeps its diodes in range by itself.
    """
    if not recipe.range_penalty or model.config.squash.bends:
        return loss
    lo, hi = _driven(recipe, model)
    for z in hidden:
        outside = z - z.clamp(lo, hi)
        loss = loss + recipe.range_penalty * outside.square().mean()
    return loss


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
