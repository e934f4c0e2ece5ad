"""Makes the recording of a terminal that the README plays, from a run of the real demo.

    .venv/bin/python scripts/make_recording.py

Runs `analogkan demo` in a terminal of its own and writes docs/images/demo.svg: the screen as it
was, in frames that an animation shows one after the other, the last one first: who looks sees what
comes out, and not an empty terminal. Who wants no motion sees the last alone.
Needs `pip install pyte`, and a minute.
"""

from __future__ import annotations

import fcntl
import os
import pty
import struct
import sys
import tempfile
import termios
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from xml.sax.saxutils import escape

import pyte

PICTURE = Path(__file__).parents[1] / "docs" / "images" / "demo.svg"
COMMAND = ("analogkan", "demo")
COLUMNS, LINES = 96, 26
WIDE, HIGH, MARGIN = 7.8, 17, 14
"""Of a character, and around the screen, pixels."""
FASTER, LONGEST_S, LAST_S = 3.0, 0.8, 6.0
"""What is played is so much faster; no pause is longer; the end stays."""
APART_S = 0.25
"""Frames come no faster."""
TYPED_S = 0.09
COLOURS = {
    "default": "#d8dee9", "green": "#8fbf7f", "brown": "#e0c074", "yellow": "#e0c074",
    "cyan": "#7fb7c9", "red": "#d9707a", "magenta": "#b48ead", "blue": "#81a1c1",
}  # fmt: skip

Run = tuple[int, str, str, bool]
"""Column, text, colour, bold."""
Row = tuple[Run, ...]


@dataclass(frozen=True)
class Frame:
    """A screen, and the seconds at which it is shown first."""

    begin: float
    rows: tuple[Row, ...]


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        frames, seconds = played(list(recorded(Path(folder))))
    PICTURE.write_text(drawn(frames, seconds), encoding="utf-8", newline="\n")
    size = PICTURE.stat().st_size / 1000
    print(f"{PICTURE.name}: {len(frames)} frames, {seconds:.0f} s, {size:.0f} kB")


def recorded(folder: Path) -> Iterator[tuple[float, str]]:
    """What the command prints, each time with its seconds."""
    program = Path(sys.executable).parent / COMMAND[0]
    child, terminal = pty.fork()
    if not child:
        os.chdir(folder)
        os.environ |= {"TERM": "xterm-256color", "COLUMNS": str(COLUMNS), "LINES": str(LINES)}
        os.execv(program, [str(program), *COMMAND[1:]])
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", LINES, COLUMNS, 0, 0))
    started = time.monotonic()
    while True:
        try:
            some = os.read(terminal, 65536)
        except OSError:  # the other end is closed
            break
        if not some:
            break
        yield time.monotonic() - started, some.decode(errors="replace")
    _, status = os.waitpid(child, 0)
    if status:
        raise SystemExit(f"{' '.join(COMMAND)} ended with {os.waitstatus_to_exitcode(status)}")


def played(events: list[tuple[float, str]]) -> tuple[list[Frame], float]:
    """Frames, and when all is over: the command typed, then what it printed, pauses shortened."""
    screen = pyte.Screen(COLUMNS, LINES)
    stream = pyte.Stream(screen)
    frames, now, before = list[Frame](), 0.0, 0.0

    def show() -> None:
        rows = tuple(_row(screen, y) for y in range(LINES))
        if not frames or frames[-1].rows != rows:
            if frames and now - frames[-1].begin < APART_S and len(frames) > len(typed):
                frames[-1] = Frame(frames[-1].begin, rows)
            else:
                frames.append(Frame(now, rows))

    typed = f"$ {' '.join(COMMAND)}"
    stream.feed("$ ")
    for sign in typed[2:]:
        stream.feed(sign)
        now += TYPED_S
        show()
    now += LONGEST_S
    stream.feed("\r\n")
    for at, some in events:
        now += min((at - before) / FASTER, LONGEST_S)
        before = at
        stream.feed(some)
        show()
    stream.feed("$ ")
    show()
    return frames, now + LAST_S


def _row(screen: pyte.Screen, y: int) -> Row:
    """Runs of one colour, blanks at the end left out."""
    found: list[Run] = []
    for x in range(COLUMNS):
        cell = screen.buffer[y][x]
        colour = COLOURS.get(cell.fg, f"#{cell.fg}")
        if found and found[-1][2:] == (colour, cell.bold):
            column, text, *_ = found[-1]
            found[-1] = (column, text + cell.data, colour, cell.bold)
        else:
            found.append((x, cell.data, colour, cell.bold))
    return tuple(
        (x, text.rstrip(), colour, bold) for x, text, colour, bold in found if text.strip()
    )


def drawn(frames: list[Frame], seconds: float) -> str:
    """The SVG: a strip of frames that is moved on, each row of text there once."""
    width, height = COLUMNS * WIDE + 2 * MARGIN, LINES * HIGH + 2 * MARGIN + 8
    names: dict[Row, str] = {}
    strip = []
    for k, frame in enumerate(frames):
        uses = [
            f'<use href="#{names.setdefault(row, f"r{len(names)}")}" y="{HIGH * (y + 1)}"/>'
            for y, row in enumerate(frame.rows)
            if row
        ]
        strip.append(f'<g transform="translate({k * width:g})">{"".join(uses)}</g>')
    steps = "".join(
        f"{100 * frame.begin / seconds:.2f}%{{transform:translate({-k * width:g}px)}}"
        for k, frame in enumerate(frames)
    )
    last = f"translate({-(len(frames) - 1) * width:g}px)"
    texts = "".join(f'<g id="{name}">{_texts(row)}</g>' for row, name in names.items())
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" role="img" '
        f'aria-label="A terminal: {" ".join(COMMAND)}">\n<style>'
        "text{font:13px ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono',monospace;"
        "white-space:pre}"
        f"#f{{animation:play {seconds:.2f}s {-frames[-1].begin:.2f}s step-end infinite}}"
        f"@keyframes play{{{steps}100%{{transform:{last}}}}}"
        f"@media (prefers-reduced-motion:reduce){{#f{{animation:none;transform:{last}}}}}"
        f"</style>\n<defs>{texts}</defs>\n"
        '<rect width="100%" height="100%" rx="8" fill="#22272e"/>\n'
        f'<svg x="{MARGIN}" y="{MARGIN}" width="{COLUMNS * WIDE:g}" '
        f'height="{height - 2 * MARGIN:g}">'
        f'<g id="f">{"".join(strip)}</g></svg>\n</svg>\n'
    )


def _texts(row: Row) -> str:
    found = []
    for x, text, colour, bold in row:
        indent = len(text) - len(text.lstrip())
        shown = text.lstrip()
        heavy = ' font-weight="bold"' if bold else ""
        found.append(
            f'<text x="{WIDE * (x + indent):g}" textLength="{WIDE * len(shown):g}" '
            f'lengthAdjust="spacingAndGlyphs" fill="{colour}"{heavy}>{escape(shown)}</text>'
        )
    return "".join(found)


if __name__ == "__main__":
    main()
