# pyright: strict
"""A BUILD's circuits in ngspice, on images."""

from __future__ import annotations

from ..data import ImageSet
from ..engines.chunked import BatchOptions
from ..errors import DataError, SettingsError
from ..objects import check_flags
from ..results import Result
from ..studies import simulate as of_images
from ..studies.analyses import analyse_image
from ..studies.simulation import Simulation
from ..studies.trace import Tracing
from ..threads import default_jobs
from . import given
from .given import AnyBuild, AnyPath
from .old import OLD, with_old_keywords
from .progress import shown_progress

_OLD_SIMULATE = {"run": "out= is in its place", "command": "nothing is in its place"}


@with_old_keywords(of_images.simulate, OLD | _OLD_SIMULATE)
def simulate(
    build: AnyBuild,
    images: ImageSet,
    *,
    engine: str = "ngspice",
    jobs: int | None = None,
    chunk: int | None = None,
    timeout: float | None = None,
    descending: bool = False,
    session: bool = False,
    alone: bool = False,
    out: AnyPath | None = None,
    allow_edited: bool = False,
    progress: bool = True,
) -> Simulation:
    """Run images through the circuit in ngspice, beside the software.

    Parameters
    ----------
    build
        A BUILD or its folder, or that of a chip that ``corners`` kept.
    images
        What to run; all of them.
    engine
        ``ngspice``, ``vacask``, ``neospice``, or ``software`` for the float64 network alone.
    jobs
        ngspice processes; by default all cores.
    chunk, timeout
        Images in one process, and seconds for them.
    descending
        Sweep from the last image to the first.
    session
        libngspice in worker processes instead of the program.
    alone
        Each image by itself, Newton starting at the macro-model's volts: for op-amps of transistors
        whose sweeps take ngspice long.
    out
        RUN folder; by default ``<build>.run/<hash of the settings>``. Finished chunks in it are
        not run again.
    allow_edited
        Simulate a deck that was changed after it was compiled.
    progress
        Show a bar in a notebook or on a terminal, elsewhere a line a minute on stderr.

    Raises
    ------
    SimulationError
        If ngspice is missing, or chunks failed twice.
    NetlistError
        If the deck was edited and ``allow_edited`` is not set.
    DataError, SettingsError
        If the images do not suit the network, or an option is not what it may be.

    Examples
    --------
    >>> result = ak.simulate("mnist-d2.build", ak.load_bundled()[:20], progress=False)
    >>> result.summary["circuit_accuracy"], result.summary["agreement"]
    (1.0, 1.0)
    >>> list(result.table())
    ['image', 'label', 'software', 'circuit', 'max_abs_logit_error']
    """
    given.check_whole(jobs=jobs, chunk=chunk)
    given.check_numbers(timeout=timeout)
    check_flags(descending=descending, session=session, alone=alone, allow_edited=allow_edited)
    circuit, images = given.circuit_or_chip(build), given.image_set(images)
    if engine not in of_images.ENGINES:
        raise SettingsError(f"engine = {engine!r} is none of {', '.join(of_images.ENGINES)}")
    options = BatchOptions(
        jobs=jobs or default_jobs(),
        chunk=chunk or 0,
        timeout=timeout or 0.0,
        descending=descending,
        session=session,
        alone=alone,
    )
    with shown_progress(progress) as on_progress:
        return of_images.simulate(
            circuit,
            images,
            engine=engine,
            options=options,
            run=given.optional_path(out, "out"),
            allow_edited=allow_edited,
            on_progress=lambda done, total: on_progress(f"{engine}: images", done, total),
        )


def trace(
    build: AnyBuild, image: ImageSet, *, out: AnyPath | None = None, allow_edited: bool = False
) -> Tracing:
    """One image's voltages in ngspice, stage by stage, beside what each stage should give.

    Parameters
    ----------
    build
        A BUILD or its folder.
    image
        A set of one image, such as ``images[7]``.
    out
        A folder for the voltages, as ``trace-<image>`` in it; without one none are kept.
    allow_edited
        Trace a deck that was changed after it was compiled.

    Raises
    ------
    SimulationError, NetlistError, DataError
        As for ``simulate``; or if there is not one image.

    Examples
    --------
    >>> found = ak.trace("mnist-d2.build", ak.load_bundled()[7])
    >>> list(found.table())[:4]
    ['stage', 'nets', 'scale_volts', 'max_error_volts']
    """
    found = analyse(build, image, "trace", out=out, allow_edited=allow_edited)
    assert isinstance(found, Tracing)
    return found


def analyse(
    build: AnyBuild,
    image: ImageSet,
    name: str,
    *,
    out: AnyPath | None = None,
    allow_edited: bool = False,
) -> Result:
    """An analysis of one image in ngspice, by its name.

    Parameters
    ----------
    build
        A BUILD or its folder.
    image
        A set of one image, such as ``images[7]``.
    name
        Such as ``trace``; `analogkan simulate --help` has all.
    out
        A folder for what is found, as ``<name>-<image>`` in it; without one nothing is kept.
    allow_edited
        Take a deck that was changed after it was compiled.

    Raises
    ------
    SettingsError
        If there is no analysis of that name.
    SimulationError, NetlistError, DataError
        As for ``simulate``; or if there is not one image.

    Examples
    --------
    >>> found = ak.analyse("mnist-d2.build", ak.load_bundled()[7], "trace")
    >>> found.facts().columns[:3]
    ('stage', 'nets', 'scale')
    """
    check_flags(allow_edited=allow_edited)
    circuit, images = given.circuit(build), given.image_set(image)
    if len(images) != 1:
        raise DataError(
            f"a {name} is of one image, and here are {len(images)}: give images[0], say"
        )
    folder = given.optional_path(out, "out")
    return analyse_image(circuit, images, images, name, folder, allow_edited=allow_edited)
