"""A report in a real Chromium: charts, console, keyboard, phone, print. Needs one on the PATH."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from .test_report import RUNS, cli, home  # noqa: F401  (a fixture)

pytestmark = pytest.mark.campaign
WAIT_MS = 20_000


@pytest.fixture(scope="module")
def report(ngspice, home, tmp_path_factory) -> str:  # noqa: F811
    out = tmp_path_factory.mktemp("page") / "r.html"
    cli("report", *(home / name for name in RUNS), "-o", out)
    return out.as_uri()


@pytest.fixture(scope="module")
def chromium() -> Iterator:
    sync_api = pytest.importorskip("playwright.sync_api", reason="pip install -e '.[browser]'")
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    if program is None:
        pytest.skip("no chromium on the PATH: apt-get install chromium")
    with sync_api.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def opened(chromium, report):
    """Opens the report offline; afterwards nothing may have been complained of, or asked for."""
    complaints: list[str] = []

    def open_page(**form):
        page = chromium.new_context(offline=True, **form).new_page()
        page.on("console", lambda m: m.type in ("error", "warning") and complaints.append(m.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", lambda r: r.url.startswith("http") and complaints.append(r.url))
        page.goto(report)
        page.locator("#figure-logits canvas").first.wait_for(timeout=WAIT_MS)
        return page

    yield open_page
    assert complaints == []


def test_charts_are_there(opened):
    page = opened(viewport={"width": 1280, "height": 900})
    for name in ("logits", "images", "histogram", "histogram-2"):
        canvas = page.locator(f"#figure-{name} canvas").first
        canvas.scroll_into_view_if_needed()
        box = canvas.bounding_box()
        assert box["width"] > 200 and box["height"] > 150, name
    for name in ("iv", "conductances", "ir-drop", "layers", "confusion", "yield", "thermal"):
        box = page.locator(f"#figure-{name} svg").bounding_box()
        assert box["width"] > 500 and box["height"] > 200, name
    assert not page.locator("#figure-logits .still").is_visible()


def test_the_image_browser_answers_to_the_keyboard(opened):
    page = opened(viewport={"width": 1280, "height": 900})
    figure = page.locator("#figure-images")
    figure.scroll_into_view_if_needed()
    told = figure.locator("b").first
    before = told.inner_text()
    for _ in range(80):
        page.keyboard.press("Tab")
        if page.evaluate("""() => {
            let at = document.activeElement;
            while (at && at.shadowRoot && at.shadowRoot.activeElement)
                at = at.shadowRoot.activeElement;
            return at && at.getAttribute('role') === 'slider';
        }"""):
            break
    else:
        pytest.fail("no slider is reached by Tab")
    page.keyboard.press("ArrowRight")
    page.wait_for_timeout(300)
    assert before.startswith("image ") and told.inner_text() != before


def test_the_image_browser_has_chips_to_choose_from(opened):
    page = opened(viewport={"width": 1280, "height": 900}, color_scheme="dark")
    figure = page.locator("#figure-images")
    choice = figure.locator("select")
    told = figure.locator("b").first.locator("xpath=..")
    before = told.inner_text()
    assert "the worst: " in before and choice.locator("option").count() >= 4
    choice.select_option(index=1)
    page.wait_for_timeout(300)
    assert choice.locator("option").nth(1).inner_text() in told.inner_text() != before
    ink, paper = choice.evaluate("e => [getComputedStyle(e).color, getComputedStyle(e.ownerDocument"
                                 ".body).backgroundColor]")  # fmt: skip
    assert sum(map(int, ink[4:-1].split(","))) > sum(map(int, paper[4:-1].split(",")))
    assert figure.locator("[role=slider]").get_attribute("aria-label") == "image"


def test_tab_begins_with_a_link_past_the_sections(opened):
    page = opened(viewport={"width": 1280, "height": 900})
    page.keyboard.press("Tab")
    skip = page.locator(".skip")
    assert skip.evaluate("e => e === document.activeElement")
    assert skip.bounding_box()["x"] >= 0  # it is seen once it has the focus
    outline = skip.evaluate("e => getComputedStyle(e).outlineStyle")
    assert outline == "solid"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "top"
    summary = page.locator("#provenance summary")
    summary.focus()
    page.keyboard.press("Enter")
    assert not page.locator("#provenance details").evaluate("e => e.open")


def test_what_is_wider_than_a_phone_says_so(opened):
    page = opened(viewport={"width": 390, "height": 844})
    told = page.evaluate("""() => Array.from(document.querySelectorAll(".scroll")).map(box => [
        box.scrollWidth > box.clientWidth + 1,
        getComputedStyle(box.previousElementSibling).display !== "none",
        box.tabIndex >= 0])""")
    seen = [line for line in told if line[0]]
    assert len(seen) > 5 and all(cut == hint == reached for cut, hint, reached in told)


def test_pointing_at_a_logit_names_its_image(opened):
    page = opened(viewport={"width": 1280, "height": 900})
    canvas = page.locator("#figure-logits canvas").first
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    tip = page.get_by_text("class").and_(page.locator(":visible"))
    before = tip.count()
    for step in range(400):  # somewhere in the plot there is a dot
        page.mouse.move(
            box["x"] + box["width"] * (0.1 + 0.8 * (step % 40) / 40),
            box["y"] + box["height"] * (0.15 + 0.7 * (step // 40) / 10),
        )
        if tip.count() > before:
            break
    else:
        pytest.fail("no tip says an image and its class")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_a_phone(opened, scheme):
    page = opened(viewport={"width": 390, "height": 844}, color_scheme=scheme)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    ink, paper = page.evaluate(
        "(({color, backgroundColor}) => [color, backgroundColor])(getComputedStyle(document.body))"
    )
    light = [sum(map(int, c[4:-1].split(","))) for c in (ink, paper)]
    assert (light[0] > light[1]) == (scheme == "dark")
    text = page.locator("#figure-iv svg text").first
    assert text.evaluate("element => getComputedStyle(element).fill") == ink


def test_it_prints_its_still_figures(opened, tmp_path):
    page = opened(viewport={"width": 1280, "height": 900})
    page.emulate_media(media="print")
    assert page.locator("#figure-images .still svg").is_visible()
    assert not page.locator("#figure-images div.live").is_visible()
    page.pdf(path=str(tmp_path / "r.pdf"), format="A4")
    assert Path(tmp_path / "r.pdf").stat().st_size > 50_000
