"""The one exception tree. A message names the thing, its value, the limit and the next step."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path


class AnalogKanError(Exception):
    """Base of every error this package raises on purpose."""


class DeviceError(AnalogKanError):
    """A device is unknown, or its I-V table is not one."""


class DataError(AnalogKanError):
    """Images or labels cannot be used."""


class DivergedError(DataError):
    """A training's loss is no longer a number."""


class CheckpointError(AnalogKanError):
    """A model file is not a checkpoint of this package, or is damaged."""


class SettingsError(AnalogKanError):
    """A preset, recipe or ``--set`` entry is unknown or out of its range."""


class CompileError(AnalogKanError):
    """A network cannot be mapped onto the hardware that was asked for."""


class NetlistError(AnalogKanError):
    """A deck cannot be read back, or is not the network it claims to be."""


class StudyError(AnalogKanError):
    """A run folder or a study's settings cannot be used."""


class UntrustedError(StudyError):
    """What was simulated does not say how probable a failure is."""


class SimulationError(AnalogKanError):
    """ngspice did not deliver. Carries what is needed to look into it.

    Attributes
    ----------
    deck : Path or None
        The deck that was being run, kept on disk.
    exit_code : int or None
        ngspice's exit code; negative for a signal; None if it never started or was stopped.
    stderr_tail : str
        The end of what ngspice printed.
    """

    def __init__(
        self,
        message: str,
        *,
        deck: Path | None = None,
        exit_code: int | None = None,
        stderr_tail: str = "",
    ) -> None:
        super().__init__(message)
        self.deck = deck
        self.exit_code = exit_code
        self.stderr_tail = stderr_tail


class DerivativeError(SimulationError):
    """Something of a chip, or what draws it, cannot be differentiated."""


class ConvergenceError(SimulationError):
    """ngspice's Newton iteration found no solution for an image."""


class OscillationError(SimulationError):
    """A circuit does not come to rest in time.

    Attributes
    ----------
    waveform : Waveforms
        Of what does not.
    """

    def __init__(self, message: str, *, waveform: Any) -> None:
        super().__init__(message)
        self.waveform = waveform


class DisagreementError(SimulationError):
    """ngspice delivered other values than the closed form of the same circuit."""
