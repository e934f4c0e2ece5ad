"""Networks in memory and in files: a module becomes a checkpoint, a checkpoint a module."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import CheckpointError, SettingsError
from ..network.encoding import Encoding
from ..network.spec import NetworkSpec
from ..network.targets import Targets
from ..objects import as_path, require_type
from ..resources import find_model
from . import given, making
from .given import AnyPath

if TYPE_CHECKING:
    from ..network.model import TDKAN


def save(
    model: Any,
    out: AnyPath,
    *,
    encoding: Encoding | None = None,
    targets: Targets | None = None,
    calibrate: Any = None,
) -> Path:
    """Write a network in memory as a checkpoint: what ``train(start=...)`` and commands take.

    Parameters
    ----------
    model, encoding, targets, calibrate
        As for ``compile``: a ``torch.nn.Module`` of your own, a ``TDKAN``, or a ``NetworkSpec``,
        such as a BUILD's ``spec``. All layers have the same devices, norm and squash.
    out
        A ``.pt`` file. An earlier checkpoint there is replaced, no other file.

    Raises
    ------
    CheckpointError, SettingsError
        If a checkpoint cannot be such a network, or ``out`` is another file.

    Examples
    --------
    >>> build = ak.load_build("mnist-d2.build")
    >>> ak.save(build.spec, "again.pt").name
    'again.pt'
    """
    path, inputs = as_path(out, "out", "a .pt file to write"), given.calibration(calibrate)
    if isinstance(model, tuple):  # what load_network returns
        raise SettingsError("model is a pair, of a module and a NetworkSpec: give one of them")
    if not (hasattr(model, "named_children") or isinstance(model, NetworkSpec)):
        require_type(model, NetworkSpec, "model", "a torch.nn.Module, a TDKAN or a NetworkSpec")
    from ..network import checkpoint
    from ..network.modules import model_of

    checkpoint.require_replaceable(path)
    spec = in_memory(model, encoding, targets, inputs, path.with_suffix(""))
    about = {"encoding": spec.encoding, "targets": spec.targets, "calibration": spec.calibration}
    checkpoint.save(model_of(spec), path, name=path.stem, dataset=spec.dataset, **about)
    return path


def load_network(model: AnyPath) -> tuple[TDKAN, NetworkSpec]:
    """A checkpoint as a torch module and as float64 arrays.

    Parameters
    ----------
    model
        A ``.pt`` file, such as what ``train`` returns, or the name of a shipped model. Shipped or
        your own, its inputs are volts: ``spec.encoding.volts(x)``.

    Returns
    -------
    TDKAN, NetworkSpec
        The module in evaluation mode, ready to be trained on, compiled or saved; its arrays.

    Raises
    ------
    CheckpointError
        If it is no checkpoint, or is damaged.

    Examples
    --------
    >>> import torch
    >>> net, spec = ak.load_network("mnist-d2")
    >>> images = ak.load_bundled()[:100]
    >>> volts = torch.tensor(spec.encoding.volts(images.x.reshape(100, -1))).float()
    >>> int((net(volts).argmax(1).numpy() == images.y).sum())
    99
    """
    from ..network import checkpoint

    net, spec = checkpoint.load(find_model(as_path(model, "model", "a .pt file, or a name")))
    return net.eval(), spec


def name_of(model: Any, target: Path | None) -> str:
    """How a network in memory is called: a spec has a name, a model that of its folder."""
    if isinstance(model, NetworkSpec):
        return model.name
    if target is None:
        raise CheckpointError(
            "a TDKAN in memory has no name: say where its BUILD goes, compile(model, 'mine.build')"
        )
    return target.name.removesuffix(".build")


def in_memory(
    model: Any, encoding: Any, targets: Targets | None, inputs: Any, target: Path
) -> NetworkSpec:
    """The network of a model in memory."""
    kept = None if inputs is None else making.calibration(inputs)
    if isinstance(model, NetworkSpec):
        if encoding is not None or targets is not None:
            raise CheckpointError(
                "a NetworkSpec has its encoding and targets: leave encoding and targets out"
            )
        return model if kept is None else replace(model, calibration=kept)
    wanted = "an Encoding: a network in memory does not know how an input becomes a voltage"
    require_type(encoding, Encoding, "encoding", wanted)
    about: dict[str, Any] = {"name": name_of(model, target), "calibration": kept}
    if hasattr(model, "to_spec"):
        return model.to_spec(encoding, targets=targets, **about)
    from ..network.modules import spec_of_module

    return spec_of_module(model, encoding, targets=targets, **about)
