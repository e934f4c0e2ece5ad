"""Makes the pictures of a report in docs/images: 1280 pixels wide, a phone, the dark setting.

    .venv/bin/python scripts/make_screenshots.py REPORT.html

REPORT is `analogkan demo`'s, made with --images 200. Needs `pip install -e '.[browser]'` and a
Chromium on the PATH.
"""

from __future__ import annotations

import io
import shutil
import sys
from pathlib import Path

from PIL import Image
from playwright.sync_api import sync_playwright

FOLDER = Path(__file__).parents[1] / "docs" / "images"
VIEWS = {
    # name: width, height, scheme, the section at the top
    "report-wide": (1280, 1500, "light", ""),
    "report-chips": (1280, 1100, "light", "chips"),
    "report-phone": (390, 1500, "light", ""),
    "report-dark": (1280, 1300, "dark", "images"),
}


def main(report: Path) -> None:
    FOLDER.mkdir(exist_ok=True)
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    if program is None:
        raise SystemExit("no chromium on the PATH: apt-get install chromium")
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=program, args=["--no-sandbox"])
        for name, (width, height, scheme, section) in VIEWS.items():
            context = browser.new_context(
                viewport={"width": width, "height": height},
                color_scheme=scheme,  # pyright: ignore[reportArgumentType]
                offline=True,
            )
            page = context.new_page()
            page.goto(report.resolve().as_uri() + (f"#{section}" if section else ""))
            page.locator("#figure-logits canvas").first.wait_for()
            page.wait_for_timeout(1500)
            picture = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
            path = FOLDER / f"{name}.png"
            picture.quantize(128, dither=Image.Dither.NONE).save(path, optimize=True)
            print(f"{path}: {path.stat().st_size / 1000:.0f} kB")
        browser.close()


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    main(Path(sys.argv[1]))
