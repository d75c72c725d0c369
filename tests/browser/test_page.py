"""What a person sees in a real browser: it is live, whole without a script, and never frozen."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from events.service import ServiceConfigured, ServiceSettings, TcpCheck
from standfast.freshness import Freshness
from standfast.watchdog.status import OpenPage
from tests.fixtures.web import running_platform
from tests.history import EPOCH
from tests.story import NEEDS, Outage, become_healthy, configure, outage, steady

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.async_api import Browser, Page

    from events.log import Log
    from tests.fixtures.web import Platform

WAIT_MILLISECONDS = 15_000


async def open_page(browser: Browser, url: str, **context: object) -> Page:
    page = await (await browser.new_context(**context)).new_page()  # type: ignore[arg-type]  # passed on
    page.set_default_timeout(WAIT_MILLISECONDS)
    await page.goto(url)
    return page


async def faults_of(page: Page) -> list[str]:
    """Collect what the browser complains about."""
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("console", lambda said: faults.append(said.text) if said.type == "error" else None)
    return faults


async def test_a_failure_shows_on_the_open_page_without_reload(
    platform: Platform, browser: Browser
) -> None:
    await steady(platform.recorder)
    await platform.projected()
    page = await open_page(browser, platform.url)
    faults = await faults_of(page)
    await page.get_by_role("heading", name="All 3 services are healthy").wait_for()
    await page.get_by_text("live", exact=True).wait_for()
    await page.evaluate("window.notReloaded = true")
    story = Outage(platform.recorder)
    await story.fail()
    await page.get_by_role("heading", name="Database is down, so is Shop").wait_for()
    assert await page.locator(".service-bad").count() == 2
    row = page.locator('[data-key="service-demo-app"]')
    assert "down" in await row.inner_text()
    await story.tell()
    await page.locator(".stage-done", has_text="Told").wait_for()
    await story.mend()
    await story.prove()
    await page.get_by_role("heading", name="All 3 services are healthy").wait_for()
    await page.get_by_text("Database was down for 14 s").first.wait_for()
    assert await page.evaluate("window.notReloaded") is True
    assert await page.locator("#news").inner_text()
    assert faults == []


async def test_an_open_page_is_not_green_while_nobody_knows(
    log: Log, tmp_path: Path, browser: Browser
) -> None:
    page_open = OpenPage(
        alert="LogAway", summary="the log of demo takes nothing", opened=EPOCH, heard=("team",)
    )
    away = Freshness(pages=(page_open,)).because("the log takes nothing: it is full", EPOCH)
    now = [Freshness()]
    async with running_platform(log, tmp_path, freshness=lambda: now[0]) as platform:
        await steady(platform.recorder)
        await platform.projected()
        for scheme in ("light", "dark"):
            page = await open_page(browser, platform.url, color_scheme=scheme)
            await page.get_by_role("heading", name="All 3 services are healthy").wait_for()
            await page.get_by_text("live", exact=True).wait_for()
            now[0] = away
            await page.get_by_role("heading", name="Nobody knows how").wait_for()
            assert await page.locator(".service-good").count() == 0
            warned = await page.locator(".warning").all_inner_texts()
            assert "The log takes nothing: it is full; what you see is as of" in warned[0]
            assert "takes nothing (told team)" in warned[1]
            assert await page.evaluate(CONTRAST) == []
            now[0] = Freshness()
            await page.get_by_role("heading", name="All 3 services are healthy").wait_for()


async def test_probes_are_drawn_as_they_come(platform: Platform, browser: Browser) -> None:
    await steady(platform.recorder)
    await platform.projected()
    page = await open_page(browser, platform.url)
    await page.get_by_text("live", exact=True).wait_for()
    await platform.probe("demo-cache", 0.0123)
    latest = page.locator('[data-latest="demo-cache"]', has_text="12 ms")
    await latest.wait_for()
    await platform.probe("demo-cache", 0.5, success=False)
    await page.locator('[data-latest="demo-cache"]', has_text="failed").wait_for()
    drawn = await page.locator('[data-bars="demo-cache"] .failed').get_attribute("d")
    assert drawn == "M178 28V0.0"


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_every_page_is_whole_without_a_script(
    platform: Platform, browser: Browser, scheme: str
) -> None:
    await steady(platform.recorder)
    await outage(platform.recorder)
    await platform.projected()
    page = await open_page(
        browser,
        platform.url,
        java_script_enabled=False,
        color_scheme=scheme,
        viewport={"width": 380, "height": 800},
    )
    assert await page.get_by_role("heading", name="All 3 services are healthy").is_visible()
    assert await page.locator(".service").count() == 3
    await page.goto(platform.url + "/incidents/0001")
    assert await page.get_by_text("Incident resolved after 14 s").first.is_visible()
    assert await page.locator(".link").count() == 28
    await page.goto(platform.url + "/services/demo-app")
    assert await page.get_by_role("heading", name="Shop is healthy").is_visible()
    assert not await page.get_by_role("button").count()


@pytest.mark.parametrize("path", ["/", "/incidents/0001", "/services/demo-app"])
async def test_nothing_is_wider_than_a_small_phone(
    platform: Platform, browser: Browser, path: str
) -> None:
    await steady(platform.recorder)
    await outage(platform.recorder)
    await platform.projected()
    page = await open_page(browser, platform.url + path, viewport={"width": 380, "height": 800})
    assert await page.evaluate("document.documentElement.scrollWidth") <= 380


async def test_texts_have_enough_contrast(platform: Platform, browser: Browser) -> None:
    await steady(platform.recorder)
    story = Outage(platform.recorder)
    await story.fail()
    await story.tell()
    await platform.projected()
    for scheme in ("light", "dark"):
        page = await open_page(browser, platform.url, color_scheme=scheme)
        await page.locator(".service-bad").first.wait_for()
        assert await page.evaluate(CONTRAST) == []


CONTRAST = """() => {
  const canvas = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
  function rgb(colour, under) {
    canvas.fillStyle = under; canvas.fillRect(0, 0, 1, 1);
    canvas.fillStyle = colour; canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3);
  }
  const light = (c) => c.map(v => v / 255)
    .map(v => v <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [.2126, .7152, .0722][i], 0);
  const ground = (node) => {
    const layers = [];
    for (let at = node; at; at = at.parentElement) {
      layers.unshift(getComputedStyle(at).backgroundColor);
    }
    return layers.reduce((under, layer) => `rgb(${rgb(layer, under)})`, "white");
  };
  const poor = [];
  for (const node of document.querySelectorAll("main *, header *")) {
    const own = [...node.childNodes].some(c => c.nodeType === 3 && c.data.trim());
    if (!own || !node.checkVisibility() || node.closest("svg")) continue;
    const below = ground(node);
    const [a, b] = [light(rgb(getComputedStyle(node).color, below)), light(rgb(below, below))];
    const ratio = (Math.max(a, b) + .05) / (Math.min(a, b) + .05);
    if (ratio < 4.5) poor.push(`${node.className} ${node.textContent.trim()} ${ratio}`);
  }
  return poor;
}"""


async def test_a_thousand_services_do_not_freeze_the_page(
    platform: Platform, browser: Browser
) -> None:
    recorder = platform.recorder
    await configure(recorder)
    for name in NEEDS:
        await become_healthy(recorder, name)
    check = TcpCheck(name="tcp", port=1)
    settings = ServiceSettings(checks=(check,))
    for number in range(1_000):
        event = ServiceConfigured(settings=settings, configuration_hash="x")
        await recorder.append(f"service/s-{number:04d}", event)
    await platform.projected()
    page = await open_page(browser, platform.url)
    await page.get_by_text("live", exact=True).wait_for()
    await page.evaluate(LONGEST_PAUSE)
    story = Outage(recorder)
    await story.fail()
    await page.get_by_role("heading", name="Database is down, so is Shop").wait_for()
    assert await page.locator(".service").count() == 1_000
    assert await page.evaluate("window.longestPause") < 1_000


LONGEST_PAUSE = """() => {
  window.longestPause = 0;
  let last = performance.now();
  setInterval(() => {
    const now = performance.now();
    window.longestPause = Math.max(window.longestPause, now - last);
    last = now;
  }, 20);
}"""


async def test_acknowledging_asks_the_alert(platform: Platform, browser: Browser) -> None:
    await steady(platform.recorder)
    story = Outage(platform.recorder)
    await story.fail()
    await story.tell()
    await platform.projected()
    page = await open_page(browser, platform.url)
    async with page.expect_request("**/acknowledge") as asked:
        await page.get_by_role("button", name="Acknowledge").click()
    request = await asked.value
    assert request.method == "POST"
    assert "/api/alerts/incident-0001/acknowledge" in request.url
