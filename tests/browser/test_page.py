"""The page in a real browser: what it shows, what it asks for, and that it can be used by everybody."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import sys
from base64 import b64encode
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import web

from conversations_hub.serve import Token, Tokens, gateway
from conversations_hub.stores import put
from conversations_hub.stores.sqlite import SQLiteStore

from .conversations import ALL, CALL, HOSTILE, LONG, write_recording
from .driver import CHROMIUM, Page, browsing

pytestmark = [
    pytest.mark.browser,
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed"),
]

TOKEN = "t" * 43
EXPECTED = Path(__file__).parent / "expected"
AXE = Path(os.environ.get("AXE", "axe.min.js"))
VIEWS = {
    "list": "#/",
    "narrowed": "#/?status=ended&provider=vapi",
    "found": "#/search?q=friday",
    "call": f"#/c/{CALL.ref}",
    "numbers": "#/stats",
}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def address(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[str]:
    """Serve the few conversations."""
    folder = tmp_path_factory.mktemp("served")
    store = SQLiteStore(folder / "c.db")
    await put(store, *ALL)
    write_recording(folder / "recordings")
    token = Token(
        name="test",
        sha256=hashlib.sha256(TOKEN.encode()).hexdigest(),
        scopes=frozenset({"read", "raw", "recordings", "metrics"}),
    )
    runner = web.AppRunner(gateway(store, tokens=Tokens([token]), recordings=folder / "recordings"))
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}/"
    await runner.cleanup()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser(address: str) -> AsyncGenerator[Page]:
    """Start the browser, and give it the token."""
    async with browsing() as page:
        await page.show_as(1200, 900)
        await page.go(f"{address}#token={TOKEN}")
        yield page


@pytest_asyncio.fixture(loop_scope="module")
async def page(browser: Page) -> AsyncGenerator[Page]:
    """Return the page as each test finds it; it must not complain of anything."""
    browser.requests.clear()
    browser.complaints.clear()
    await browser.show_as(1200, 900)
    yield browser
    assert not browser.complaints


async def text(page: Page, selector: str = "main") -> str:
    found: str = await page.eval(f"document.querySelector({json.dumps(selector)})?.innerText ?? ''")
    return found


# what is shown


async def test_the_token_leaves_the_address(page: Page, address: str) -> None:
    await page.go(f"{address}#token={TOKEN}")
    assert await page.eval("location.href") == f"{address}#/"
    assert await page.eval("document.cookie") == ""


async def test_without_a_token_the_page_asks_for_one(page: Page, address: str) -> None:
    await page.eval("localStorage.clear()")
    await page.go(f"{address}#/")
    assert "paste the token" in await text(page)
    await page.eval(f"document.getElementById('token').value = {json.dumps(TOKEN)}")
    await page.eval("document.querySelector('.token button').click()")
    await page.until("document.querySelector('.rows')")
    page.complaints.clear()  # the browser reports every 401


async def test_a_list_is_narrowed_and_opened(page: Page, address: str) -> None:
    await page.go(f"{address}#/")
    shown = await text(page)
    for words in ("A new appointment", "≈ 20 s", "1 issue", "transcript pending", "In progress"):
        assert words in shown
    await page.until("document.querySelectorAll('.facets li').length > 6")
    await page.eval("[...document.querySelectorAll('.facets a')].find(a => a.textContent === 'Vapi').click()")
    await page.until(
        "document.querySelectorAll('.rows tbody tr').length === 1 && !document.querySelector('[aria-busy]')"
    )
    assert await page.eval("location.hash") == "#/?provider=vapi"
    await page.eval("document.querySelector('.rows a').click()")
    await page.until("document.querySelector('.conversation')")
    assert await page.eval("document.title") == "A new appointment · Conversations"


async def test_a_conversation_says_who_said_what_when(page: Page, address: str) -> None:
    await page.go(f"{address}#/c/{CALL.ref}")
    shown = await text(page)
    for words in ("Jun", "after 3.5 s", "0.5 s at once", "cut off", "free_slots", "book failed", "Hello, this is Ana."):
        assert words in shown
    for words in ("+14155550174", "messages[3].time", "You are the desk of a clinic."):
        assert words in shown
    await page.eval("document.querySelectorAll('.facts details').forEach(one => one.open = true)")
    await page.until("!document.querySelector('.facts').innerText.includes('Loading')")
    facts = await text(page, ".facts")
    for words in ('"id": "call-1"', '"order": "o-7"', "Response latency p50", "no cost"):
        assert words in facts


async def test_numbers_are_tables_with_bars(page: Page, address: str) -> None:
    await page.go(f"{address}#/stats")
    shown = await text(page)
    assert "4 conversations" in shown
    assert "Customer ended" in shown


async def test_what_is_not_there_is_said(page: Page, address: str) -> None:
    await page.go(f"{address}#/c/vapi:nobody")
    assert "does not exist" in await text(page)
    await page.go(f"{address}#/elsewhere")
    assert "leads nowhere" in await text(page)
    await page.go(f"{address}#/search?q=zebra")
    assert "Nobody said" in await text(page)
    page.complaints.clear()  # the browser reports every 404


# what could go wrong


async def test_whatever_was_said_is_text(page: Page, address: str) -> None:
    for view in ("#/", "#/search?q=img", f"#/c/{HOSTILE.ref}"):
        await page.go(address + view)
        await page.eval("document.querySelectorAll('details').forEach(one => one.open = true)")
        await page.until("!document.querySelector('main').innerText.includes('Loading')")
        assert "onerror" in await text(page)
        assert await page.eval("document.querySelectorAll('main img, main script, body > script').length") == 0
        assert await page.eval("document.title") != "gone"


async def test_nothing_is_asked_of_anybody_else(page: Page, address: str) -> None:
    for view in VIEWS.values():
        await page.go(address + view)
    assert {request for request in page.requests if not request.startswith((address, "about:", "data:"))} == set()
    assert not any(TOKEN in request for request in page.requests)


async def test_a_long_one_is_built_in_pieces_and_a_turn_of_it_is_found(page: Page, address: str) -> None:
    await page.go(f"{address}#/c/{LONG.ref}?t=4321")
    await page.until("document.querySelectorAll('.turn').length === 5000")
    await page.eval("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
    top = await page.eval("document.getElementById('t4321').getBoundingClientRect().top")
    assert 0 < top < 900
    assert "Sentence 4321." in await text(page, "#t4321")


async def test_the_words_follow_the_sound(page: Page, address: str) -> None:
    await page.go(f"{address}#/c/{CALL.ref}")
    await page.eval("document.querySelector('#t6 .at').click()")
    await page.until("document.querySelector('audio')?.currentTime === 9.5")
    await page.eval("document.querySelector('audio').muted = true; document.querySelector('audio').play()")
    await page.until("document.querySelector('[aria-current=true]')?.id === 't6'")
    await page.eval("document.querySelector('audio').pause(); document.querySelector('audio').currentTime = 0.5")
    await page.until("document.querySelector('[aria-current=true]')?.id === 't1'")
    assert await page.eval("[...CSS.highlights.get('spoken')].map(String)") == ["morning"]


# everybody


async def test_everything_can_be_done_with_keys(page: Page, address: str) -> None:
    await page.go(f"{address}#/")
    await page.press("/")
    assert await page.eval("document.activeElement.name") == "q"
    for letter in "Friday":
        await page.press(letter)
    await page.press("Enter")
    await page.until("document.querySelector('[data-found]')")
    await page.eval("document.activeElement.blur()")
    await page.press("n")
    assert await page.eval("document.activeElement.matches('[data-found]:focus-visible')")
    await page.press("Enter")
    await page.until("document.querySelector('.conversation') && !document.querySelector('[aria-busy]')")
    assert await page.eval("[...CSS.highlights.get('found')].map(String)") == ["Friday", "Friday"]
    before = await page.eval("document.activeElement.closest('.turn').id")
    await page.press("j")
    assert await page.eval("document.activeElement.closest('.turn').id") != before
    await page.press("?")
    assert await page.eval("document.getElementById('help').open")
    await page.press("Escape")
    await page.until("!document.getElementById('help').open")
    await page.press("Escape")
    await page.until("document.querySelector('.found')")


@pytest.mark.parametrize("view", VIEWS)
async def test_a_screen_reader_is_told_the_same_as_before(page: Page, address: str, view: str) -> None:
    await page.go(address + VIEWS[view])
    await page.until("document.querySelectorAll('.facets li').length > 6 || !document.querySelector('.facets')")
    told, kept = await page.tree(), EXPECTED / f"{view}.txt"
    if os.environ.get("REWRITE"):
        kept.write_text(told)
    assert told == kept.read_text()


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("width", [320, 640, 1200])
async def test_nothing_is_wider_than_the_window(page: Page, address: str, view: str, width: int) -> None:
    await page.show_as(width, 900)
    await page.go(address + VIEWS[view])
    assert await page.eval("document.documentElement.scrollWidth") <= width


@pytest.mark.skipif(not AXE.is_file(), reason="axe-core is not there: `make browser` brings it")
@pytest.mark.parametrize("is_dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("view", [*VIEWS, "long", "token"])
async def test_axe_finds_nothing(page: Page, address: str, view: str, *, is_dark: bool) -> None:
    await page.show_as(1200, 900, is_dark=is_dark)
    await page.go(address + VIEWS.get(view, f"#/c/{HOSTILE.ref}"))
    if view == "token":
        await page.eval("localStorage.clear()")
        await page.go(f"{address}#/")
    await page.eval(await asyncio.to_thread(AXE.read_text))
    found: dict[str, Any] = await page.eval("axe.run().then(({violations, incomplete}) => ({violations, incomplete}))")
    page.complaints.clear()
    await page.eval(f"localStorage.setItem('conversations-hub token', {json.dumps(TOKEN)})")
    wrong = [(one["id"], [node["html"][:120] for node in one["nodes"]]) for kind in found.values() for one in kind]
    assert not wrong


@pytest.mark.parametrize("view", VIEWS)
async def test_a_picture_is_the_same_each_time(page: Page, address: str, view: str) -> None:
    for width, is_dark in ((1200, False), (1200, True), (320, False)):
        await page.show_as(width, 900, is_dark=is_dark)
        pictures: list[str] = []
        for _ in range(2):
            await page.go(address + VIEWS[view])
            await page.until("document.querySelectorAll('.facets li').length > 6 || !document.querySelector('.facets')")
            pictures.append(b64encode(await page.picture()).decode())
        # A browser may draw the edge of a rounded corner in more than one way.
        assert await _differing_pixels(page, *pictures) <= 8


async def _differing_pixels(page: Page, one: str, other: str) -> int:
    """Return how many pixels of two pictures differ, as the browser decodes them; all, if their sizes do."""
    await page.send("Page.navigate", url="about:blank")  # whose policy allows pictures in the text
    found: int = await page.eval(
        f"""Promise.all([{json.dumps(one)}, {json.dumps(other)}].map(async text => {{
            const image = new Image()
            image.src = "data:image/png;base64," + text
            await image.decode()
            const canvas = new OffscreenCanvas(image.width, image.height).getContext("2d")
            canvas.drawImage(image, 0, 0)
            return new Uint32Array(canvas.getImageData(0, 0, image.width, image.height).data.buffer)
        }})).then(([a, b]) => a.length === b.length ? a.filter((pixel, at) => pixel !== b[at]).length : -1)"""
    )
    return found if found >= 0 else sys.maxsize
