# pyright: strict
"""What ``analogkan.devices`` is in Python: devices by name, and of measured sweeps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any

from ..objects import PATHS, as_path, check_flags, require_type
from .columns import ColumnChoice
from .curve import IVCurve
from .falling import SIGMA
from .knots import TOLERANCE
from .library import get
from .measured import Measured, import_device, safe_name, write_measured

AnyPath = str | PathLike[str]
Names = str | int | None


def load(device: AnyPath | IVCurve) -> IVCurve:
    """A device by its name in the library (any case), or from a ``.toml`` file.

    Raises
    ------
    DeviceError
        If there is no such device; the nearest names are suggested.

    Examples
    --------
    >>> ak.devices.load("A21").name
    'A21'
    """
    if isinstance(device, IVCurve):
        return device
    return get(str(as_path(device, "device", "a device's name, a .toml file, or an IVCurve")))


def measure(
    files: AnyPath | Sequence[AnyPath],
    out: AnyPath | None = None,
    *,
    at: Mapping[float, AnyPath] | Sequence[tuple[float, AnyPath]] = (),
    name: str | None = None,
    v_col: Names = None,
    i_col: Names = None,
    v_unit: str | None = None,
    i_unit: str | None = None,
    skip: int = 0,
    negate: bool = False,
    sweep: str | None = None,
    step: float | None = None,
    tolerance: float = TOLERANCE,
    static: bool = False,
    g_d: float | None = None,
    g_d_sigma: float = SIGMA,
    source: str = "",
    force: bool = False,
) -> Measured:
    """A device of measured sweeps, one CSV file each; of several, also what they differ in.

    Parameters
    ----------
    files
        Sweeps at 26.85 degrees Celsius (300 K); several are of several devices of one type.
    out
        A device file to write as well, a ``.toml``; spreads go beside it, as ``.variation.toml``.
    at
        Sweeps at other temperatures: degrees Celsius and a file each.
    name
        Of the device; by default the stem of ``out``, or of the first file.
    v_col, i_col, v_unit, i_unit, skip, negate
        What the file does not say, as for ``ColumnChoice``.
    sweep
        What to take of a loop: ``up``, ``down`` or ``mean``.
    step
        Volts between the table's knots, in place of few that follow the curve.
    tolerance
        Share of the peak that those may be off the sweeps' mean, noise apart.
    static
        Take only what is no tester's load line, and reconstruct the falling part.
    g_d, g_d_sigma
        Its steepest slope, siemens, and that one's relative uncertainty.
    source
        Where the figures come from; by default the files.
    force
        Replace an earlier device file.

    Raises
    ------
    DeviceError, SettingsError
        If a file, an option or the name cannot be used; nothing is written then.

    Examples
    --------
    >>> curve = ak.devices.load("A21")
    >>> points = np.column_stack([curve.v, curve.i])
    >>> np.savetxt("d1.csv", points, delimiter=",", header="V (V),I (A)", comments="")
    >>> found = ak.devices.measure("d1.csv")
    >>> found.curve.name, found.spread
    ('d1', None)
    """
    check_flags(negate=negate, force=force, static=static)
    listed: Any = [files] if isinstance(files, PATHS) else files
    require_type(listed, (list, tuple), "files", "CSV files, ['d1.csv', 'd2.csv']")
    paths = [as_path(one, "files", "CSV files") for one in listed]
    pairs: Any = at.items() if isinstance(at, Mapping) else at
    target = None if out is None else as_path(out, "out")
    stem = target or (paths[0] if paths else Path("device"))
    made = import_device(
        paths,
        safe_name(stem.stem) if name is None else name,
        at=[(temp_c, as_path(path, "at", "a CSV file")) for temp_c, path in pairs],
        choice=ColumnChoice(
            v_col=None if v_col is None else str(v_col),
            i_col=None if i_col is None else str(i_col),
            v_unit=v_unit, i_unit=i_unit, skip=skip, negate=negate,
        ),
        branch=sweep,
        step=step,
        tolerance=tolerance,
        static=static,
        g_d=g_d,
        g_d_sigma=g_d_sigma,
        source=source,
    )  # fmt: skip
    if target is not None:
        write_measured(made, target, force=force)
    return made
