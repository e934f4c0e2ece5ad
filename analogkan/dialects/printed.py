"""What ngspice, or another simulator, printed: whether a run did what its deck says."""

from __future__ import annotations

import re
from pathlib import Path

from ..errors import ConvergenceError, SimulationError

SOUNDS_WRONG = (
    *("warning", "error", "fatal", "fail", "abort", "singular", "converge", "ignored", "set to"),
    *("too small", "too large", "too low", "to low", "too few", "too many", "out of range"),
    *("unrecognized", "unrecognised", "unknown", "unimplemented", "unsupported", "not supported"),
    *("undefined", "can't", "cannot", "can not", "could not", "couldn't", "no such", "not found"),
    *("not valid", "already exists", "mismatch", "missing", "redefinition", "limited", "skipped"),
    *("truncated", "transient op "),
)
"""In a line of ngspice's that may say that it did not simulate what the deck says."""
HARMLESS = (
    re.compile(r"Warning: (Dynamic|True) gmin stepping failed"),
    re.compile(r"Warning: KLU ReFactor failed\. Factoring again\.\.\."),
    re.compile(r"Warning: can't find the initialization file spinit\."),
    re.compile(r"Warning: No job \(tran, ac, op etc\.\) defined:"),
    re.compile(r"(binary|ASCII) raw file \".*\""),
    re.compile(r"(Circuit|Simulating): .*"),
    re.compile(r"This is vacask unknown\."),
    re.compile(r"\[topology WARNING\] Floating node '\w+' has only one device connection"),
)
"""Lines that say nothing of the kind: another way to the operating point is tried next, and the
last that fails says so itself; KLU chose new pivots; nothing that a start-up file sets is needed;
there is no result then, which is refused; the name of the result; the deck's first line, in which
a network's name may say anything; VACASK's own version; what neospice says of read-outs' nets."""
NO_CONVERGENCE = re.compile(
    r"no convergence|not converge|failed to converge|singular matrix|stepping failed|aborted",
    re.IGNORECASE,
)
LOADING = re.compile(
    r".*(osdi lib \"|Library .* couldn't be loaded|OSDI (version|v\d))", re.IGNORECASE
)
"""What is said, here and there, of a compiled model that is not loaded: together they are why."""
TOO_LONG = re.compile(r"\w+ took longer than (\S+) s and was stopped")
"""What is said of a run that reached its time limit."""
OF_EVERY_RUN = re.compile(
    r"Total (analysis|elapsed) time|(Total )?DRAM (currently )?available|Shared ngspice pages|"
    r"(Maximum|Current) ngspice program size|(Text \(code\)|Library) pages|Stack = |No\. of Data |"
    r"Note: No compatibility mode|Circuit: |Doing analysis at TEMP|Using .* Direct Linear Solver|"
    r"(binary|ASCII) raw file|Note: no resource usage|or no active circuit|Note: can't find"
)
"""Statistics and settings: they name no cause."""
TAIL_LINES = 15
MOST_TOLD = 100_000
"""Characters at the end of what was printed in which these lines are looked for."""
MOST_PRINTED = 4_000_000
"""Bytes that a run may print; it prints a few hundred."""
WINDOWS_EXCEPTION = 0xC0000000
"""Where Windows has signals it has exit codes from here on, such as 0xC0000005."""


def judge(
    text: str, code: int | None, deck: Path | None, timeout: float, *, by: str = "ngspice"
) -> None:
    """Raise what was wrong with a run that printed ``text`` and ended with exit code ``code``.

    The same rules for the program, for a session and for other simulators, which ``by`` names.
    ``code`` is None after ``timeout`` seconds.

    Raises
    ------
    SimulationError
        If it was stopped, was killed, ended with an error, or printed one.
    ConvergenceError
        If what it printed says that it found no solution.
    """
    tail = "\n".join(_telling(text)[-TAIL_LINES:])
    if len(text.encode()) > MOST_PRINTED:
        what = f"{by} printed more than {MOST_PRINTED / 1e6:g} MB: no run of ours says so much"
        raise SimulationError(what, deck=deck, exit_code=code, stderr_tail=tail)
    trouble = find_trouble(text)
    if code is None:
        what = f"{by} took longer than {timeout:g} s and was stopped"
    elif code < 0:
        what = f"{by} was killed by signal {-code}"
    elif code >= WINDOWS_EXCEPTION:
        what = f"{by} was ended by Windows exception {code:#010x}"
    elif trouble and NO_CONVERGENCE.search(text):
        raise ConvergenceError(
            f"{by} found no solution: {trouble}",
            deck=deck,
            exit_code=code,
            stderr_tail=tail,
        )
    elif trouble:
        what = f"{by} printed: {trouble}"
    elif code != 0:
        what = f"{by} ended with exit code {code}"
    else:
        return
    raise SimulationError(what, deck=deck, exit_code=code, stderr_tail=tail)


def _telling(text: str) -> list[str]:
    """Each line of what ngspice printed last, once, but for those that it prints of every run."""
    lines = (line.strip() for line in text[-MOST_TOLD:].splitlines())
    return list(dict.fromkeys(line for line in lines if line and not OF_EVERY_RUN.match(line)))


def find_trouble(text: str) -> str:
    """The first thing in what ngspice printed that is not known to be harmless; empty if none is.

    Where ngspice says what it is about in the next lines they are in it.
    """
    lines = [line.strip() for line in text.splitlines()]
    loading = list(dict.fromkeys(line for line in lines if LOADING.match(line)))
    if loading:
        return " ".join(loading)
    for k, line in enumerate(lines):
        lower = line.lower()
        if any(word in lower for word in SOUNDS_WRONG) and not any(
            known.fullmatch(line) for known in HARMLESS
        ):
            return " ".join(lines[k : k + 3]) if line.endswith((":", "line")) else line
    return ""
