"""The dashboard without a pointer and without eyes: what the keyboard reaches, what is read aloud."""

from __future__ import annotations

import re
from typing import Any, Final

import pytest
from playwright.async_api import Page, expect

from tests.browser.conftest import DESKTOP, PHONE, OpenPage
from tests.browser.stage import Stage
from tests.browser.test_pages import LUNCH, open_ready

FOCUSED: Final = """() => {
  const one = document.activeElement;
  if (one === document.body) return null;
  const box = one.getBoundingClientRect(), style = getComputedStyle(one);
  const text = one.getAttribute('aria-label') || one.innerText || one.getAttribute('placeholder') || one.id;
  return {
    name: text.trim().split('\\n')[0], tag: one.tagName, outline: parseFloat(style.outlineWidth),
    isShown: style.outlineStyle !== 'none' && box.width > 0 && box.top < innerHeight && box.bottom > 0,
  };
}"""
NAVIGATION: Final = ["Skip to the content", "Now", "Meetings", "Dead letters"]
STOPS: Final = {
    "meetings": ["Subject, person, address, day or id", "Search", "Budget review", LUNCH],
    "letters": ["all", "Requeue these", "Drop these", "Requeue", "Drop", "Entry"],
}


async def walk(page: Page, stops_max: int = 40) -> list[dict[str, Any]]:
    """Give every stop of the tabulator, from the first to the last."""
    stops: list[dict[str, Any]] = []
    for _ in range(stops_max):
        await page.keyboard.press("Tab")
        stop: dict[str, Any] | None = await page.evaluate(FOCUSED)
        if stop is None:
            return stops
        stops.append(stop)
    raise AssertionError(f"the keyboard is caught after {stops[-3:]}")


@pytest.mark.parametrize("name", ["now", "meetings", "letters"])
async def test_the_keyboard_stops_at_everything_in_order_and_each_stop_is_seen(
    open_page: OpenPage, stage: Stage, name: str
) -> None:
    await stage.bury("m1", "no_access", "AccessError: 403")
    page = await open_ready(open_page, stage, name)
    stops = await walk(page)
    assert [one for one in stops if not one["isShown"] or one["outline"] < 2] == []
    names = [re.sub(r"[\s\d-]+$", "", one["name"]) for one in stops]  # without counts and ids
    assert names[:4] == NAVIGATION
    if name == "now":  # the tables may have to be scrolled, so they are stops
        assert [one["tag"] for one in stops[4:]] == ["DIV", "DIV"]
    else:
        assert names[4:] == STOPS[name]


async def test_a_dead_letter_is_requeued_by_keyboard_and_the_next_one_is_at_hand(
    open_page: OpenPage, stage: Stage
) -> None:
    await stage.bury("m1", "no_access", "AccessError: 403")
    await stage.bury("m2", "no_access", "AccessError: 403")
    page = await open_ready(open_page, stage, "letters")
    await expect(page.locator(".letter")).to_have_count(2)
    await page.locator(".letter button").first.focus()
    await page.keyboard.press("Enter")
    await expect(page.locator("#sum")).to_have_text("1 entry requeued, 1 left")
    await expect(page.locator(".letter button").first).to_be_focused()
    await page.keyboard.press("Space")
    await expect(page.locator("#sum")).to_have_text("1 entry requeued, 0 left")
    await expect(page.get_by_label("Reason")).to_be_focused()


async def test_dropping_is_confirmed_by_keyboard_and_the_question_keeps_the_focus(
    open_page: OpenPage, stage: Stage
) -> None:
    await stage.bury("", "malformed", "not an intake entry")
    page = await open_ready(open_page, stage, "letters")
    await page.locator(".letter button.danger").focus()
    await page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog", name="Drop 1 entry for good?")
    await expect(dialog.get_by_role("button", name="Keep")).to_be_focused()
    await page.keyboard.press("Escape")
    await expect(page.locator(".letter button.danger")).to_be_focused()
    await page.keyboard.press("Enter")
    await page.keyboard.press("Tab")
    await page.keyboard.press("Enter")
    await expect(page.locator("#sum")).to_have_text("1 entry dropped, 0 left")
    assert await stage.streams.dead_letters.count() == 0


async def test_the_story_of_an_answer_is_opened_by_keyboard(open_page: OpenPage, stage: Stage) -> None:
    page = await open_ready(open_page, stage, "meetings")
    await page.get_by_role("button", name=LUNCH).focus()
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("heading", name=LUNCH)).to_be_focused()
    why = page.locator("summary").first
    for _ in range(4):
        await page.keyboard.press("Tab")
        if await why.evaluate("one => one === document.activeElement"):
            break
    await expect(why).to_be_focused()
    await page.keyboard.press("Enter")
    await expect(page.locator("details").first).to_have_attribute("open", "")


@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
async def test_a_screen_reader_is_told_landmarks_headings_tables_and_numbers(
    open_page: OpenPage, stage: Stage, size: tuple[int, int]
) -> None:
    page = await open_ready(open_page, stage, "now", size=size)
    await expect(page.get_by_role("banner")).to_have_count(1)
    await expect(page.get_by_role("navigation", name="Pages").get_by_role("link")).to_have_count(3)
    await expect(page.get_by_role("main")).to_have_count(1)
    await expect(page.get_by_role("link", name="Now", exact=True)).to_have_attribute("aria-current", "page")
    headings = await page.get_by_role("heading").evaluate_all(
        "all => all.map(one => one.tagName + one.innerText)"
    )
    assert [one[:2] for one in headings] == ["H1", "H2", "H2", "H2", "H2"]
    mailboxes = page.get_by_role("region", name="Mailboxes").get_by_role("table")
    await expect(mailboxes.get_by_role("row")).to_have_count(5)
    await expect(mailboxes.get_by_role("columnheader")).to_have_count(7)
    await expect(mailboxes.get_by_role("row").nth(1).get_by_role("cell").first).to_have_text("faulty")
    flow = page.get_by_role("figure", name="Flow per minute")
    await expect(flow).to_contain_text("in the last hour")
    assert "notifications stored" in await flow.aria_snapshot()
    await expect(page.locator("svg:not([aria-hidden=true])")).to_have_count(0)


async def test_a_screen_reader_is_told_of_what_changes(open_page: OpenPage, stage: Stage) -> None:
    page = await open_ready(open_page, stage, "now")
    told = page.get_by_role("status")
    await expect(told.filter(has_text="1 fault")).to_have_count(1)
    await expect(told.filter(has_text="Live")).to_have_count(1)
    await page.goto(stage.url + "/meetings")
    await page.get_by_role("searchbox", name="Search meetings").fill("lunch")
    await expect(page.get_by_role("status").filter(has_text="1 meeting found")).to_have_count(1)
    await page.goto(stage.url + "/dead-letters")
    await expect(page.get_by_role("status").filter(has_text="0 entries")).to_have_count(1)
