"""A Chromium, a Redis, and a stage per test. Where there is no Chromium, as on a bare machine, all skip."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack

import pytest
import pytest_asyncio
from playwright.async_api import Browser, ConsoleMessage, Page, Response, async_playwright, expect

from service.embedded import EmbeddedRedis, Listener, embedded_redis
from tests.browser.stage import Stage, fill, open_stage
from tests.integration.conftest import chosen_server

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
PATIENCE_MS = 60_000
DESKTOP, PHONE = (1280, 900), (390, 844)
OpenPage = Callable[..., Awaitable[Page]]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run all of a browser's tests in the loop that it was started in."""
    for item in items:
        if "tests/browser" in item.path.as_posix():
            item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)
            if CHROMIUM is None:
                item.add_marker(pytest.mark.skip(reason="there is no Chromium on this machine"))


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    """One Chromium for all tests."""
    expect.set_options(timeout=PATIENCE_MS)
    async with async_playwright() as playwright:
        # Without its sandbox, because containers and CI run as root, and it sees only our own pages.
        browser = await playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox"], timeout=PATIENCE_MS
        )
        yield browser
        await browser.close()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser_redis() -> AsyncIterator[EmbeddedRedis]:
    """One server for all tests."""
    async with embedded_redis(listener=Listener.LOOPBACK, program=chosen_server()) as server:
        yield server


@pytest.fixture
def browser_prefix() -> str:
    """A name for `STREAM` that no other test uses."""
    return f"t{uuid.uuid4().hex[:12]}"


@pytest_asyncio.fixture(loop_scope="session")
async def stage(browser_redis: EmbeddedRedis, browser_prefix: str) -> AsyncIterator[Stage]:
    """A system that has run for an hour, and its dashboard on loopback without a token."""
    async with open_stage(browser_redis.url, browser_prefix) as stage:
        await fill(stage)
        yield stage


@pytest_asyncio.fixture(loop_scope="session")
async def open_page(browser: Browser, stage: Stage) -> AsyncIterator[OpenPage]:
    """Open a page; the test fails where its console says anything or a request fails unexpectedly."""
    assert stage.url  # named, so that pages are closed before their listener is
    said: list[str] = []
    async with AsyncExitStack() as stack:

        async def open_one(
            url: str,
            *,
            size: tuple[int, int] = DESKTOP,
            scheme: str = "light",
            expects: tuple[str, ...] = (),
        ) -> Page:
            width, height = size
            context = await browser.new_context(
                viewport={"width": width, "height": height},
                color_scheme=scheme,  # type: ignore[arg-type]
            )
            stack.push_async_callback(context.close)
            page = await context.new_page()

            def hear(message: ConsoleMessage) -> None:
                if not any(one in message.text for one in expects):
                    said.append(f"{message.type}: {message.text}")

            def look(response: Response) -> None:
                if response.status >= 400 and not any(one in str(response.status) for one in expects):
                    said.append(f"{response.status} {response.url}")

            page.on("console", hear)
            page.on("response", look)
            page.on("pageerror", lambda error: said.append(str(error)))
            page.set_default_timeout(PATIENCE_MS)
            await page.goto(url)
            return page

        yield open_one
    assert said == []
