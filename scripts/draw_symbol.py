"""Draws docs/images/symbol.svg anew: a network's symbol on a sheet, with what drives and reads it.

    .venv/bin/python scripts/draw_symbol.py

Pins and box are where the files for KiCad and xschem have them.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from analogkan.compiler.symbol_files import HALF_WIDTH, Pin, get_ends, place_pins

PICTURE = Path(__file__).parents[1] / "docs" / "images" / "symbol.svg"
NAME, PINS = "curve", ["v0", "v1", "v2", "y0", "y1"]
STEP, WIDTH, HEIGHT = 24, 620, 260


def draw() -> str:
    """The picture, as SVG."""
    pins = place_pins(PINS)
    parts = [*_box(pins), *(part for pin in pins for part in _pin(pin))]
    parts += [part for k, pin in enumerate(pins) for part in _around(k, pin)]
    size = f'width="{WIDTH}" height="{HEIGHT}" viewBox="0 0 {WIDTH} {HEIGHT}"'
    style = 'font-family="sans-serif" font-size="13" fill="none" stroke="black"'
    title = f"<title>The symbol of a network of {len(PINS)} pins on a sheet</title>"
    body = "\n".join(parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" {size}>\n{title}\n'
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>\n'
        f"<g {style}>\n{body}\n</g>\n</svg>\n"
    )


def _x(steps: float) -> float:
    return 370 + STEP * steps


def _y(steps: float) -> float:
    return 90 + STEP * steps


def _line(*points: tuple[float, float]) -> str:
    return f'<polyline points="{" ".join(f"{x:g},{y:g}" for x, y in points)}"/>'


def _text(x: float, y: float, text: str, anchor: str = "middle") -> str:
    at = f'x="{x:g}" y="{y:g}" text-anchor="{anchor}"'
    return f'<text {at} fill="black" stroke="none">{text}</text>'


def _box(pins: list[Pin]) -> Iterator[str]:
    top, bottom = map(_y, get_ends(pins))
    x, width = _x(-HALF_WIDTH), 2 * HALF_WIDTH * STEP
    size = f'width="{width}" height="{bottom - top:g}"'
    yield f'<rect x="{x:g}" y="{top:g}" {size} fill="#ffffe0" stroke-width="2"/>'
    yield _text(_x(0), top - 8, "U1")
    yield _text(_x(0), bottom + 18, NAME)


def _pin(pin: Pin) -> Iterator[str]:
    inward = 1 if pin.is_input else -1
    x, y = _x(pin.x), _y(pin.y)
    yield _line((x, y), (x + inward * STEP, y))
    anchor = "start" if pin.is_input else "end"
    yield _text(x + inward * (STEP + 6), y + 5, pin.name, anchor)
    yield _text(x + inward * STEP / 2, y - 4, str(pin.number))


def _around(k: int, pin: Pin) -> Iterator[str]:
    """A source to ground at an input, a label at an output."""
    x, y = _x(pin.x), _y(pin.y)
    if not pin.is_input:
        yield _line((x, y), (x + STEP, y))
        yield _text(x + STEP + 6, y + 5, f"out{pin.name[1:]}", "start")
        return
    at, foot = x - STEP / 2 - (2 - k) * 56, 200
    yield _line((x, y), (at, y), (at, foot - 32))
    yield f'<circle cx="{at:g}" cy="{foot - 16:g}" r="16"/>'
    yield _text(at, foot - 11, f"V{k + 1}")
    yield _line((at, foot), (at, foot + 14))
    yield from (
        _line((at - w, foot + d), (at + w, foot + d)) for w, d in ((12, 14), (8, 19), (4, 24))
    )


if __name__ == "__main__":
    PICTURE.write_text(draw(), encoding="utf-8")
    print(f"drawn: {PICTURE}")
