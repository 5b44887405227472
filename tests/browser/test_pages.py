"""What a person sees and does on the dashboard, on a phone and at a desk, by pointer, keyboard and ear."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Page, expect

from service.embedded import EmbeddedRedis
from tests.browser.conftest import DESKTOP, PHONE, OpenPage
from tests.browser.stage import Stage, build_meeting, fill, open_stage
from tests.unit.reconcile.build import at, row

TOKEN = "a-token-for-browsers"
LUNCH = "Let's go for lunch"
LONG = "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft"
PAGES = {"now": "/", "meetings": "/meetings", "letters": "/dead-letters"}
READY = {"now": "#mailboxes tbody tr", "meetings": "button.row", "letters": ".letter"}


async def open_ready(open_page: OpenPage, stage: Stage, name: str, **how: object) -> Page:
    page = await open_page(stage.url + PAGES[name], **how)
    await page.wait_for_selector(READY[name])
    await expect(page.locator("#live")).to_have_attribute("data-state", "on")
    return page


async def keep_picture(page: Page, name: str) -> None:
    """Keep a picture to be looked at, where a folder for them is named."""
    if folder := os.environ.get("RESPONSE_SYNC_TEST_PICTURES"):
        await page.screenshot(path=Path(folder) / f"{name}.png", full_page=True)


async def check_accessible(page: Page) -> None:
    results = await Axe().run(page, options={"resultTypes": ["violations"]})
    serious = [
        f"{one['id']}: {[node['target'] for node in one['nodes']]}"
        for one in results.response["violations"]
        if one["impact"] in ("serious", "critical")
    ]
    assert serious == []


async def check_fits(page: Page) -> None:
    """Nothing may stick out to the right: a page is never scrolled sideways."""
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")


@pytest.mark.parametrize(("size", "scheme"), [(DESKTOP, "light"), (PHONE, "dark")], ids=["desktop", "phone"])
async def test_every_page_fits_and_can_be_used_by_everyone(
    open_page: OpenPage, stage: Stage, size: tuple[int, int], scheme: str
) -> None:
    await stage.bury("m1", "no_access", "AccessError: 403 ErrorAccessDenied")
    await stage.bury("", "malformed", "not an intake entry")
    await stage.commit(build_meeting("040000008200e00074c5b7101a82e00a", LONG, row("meganb@contoso.com")))
    for name in PAGES:
        page = await open_ready(open_page, stage, name, size=size, scheme=scheme)
        if name == "meetings":
            await page.get_by_role("button", name=LUNCH).click()
            await page.locator("summary").first.click()
        await check_fits(page)
        if name == "meetings":
            await page.evaluate("document.querySelector('.back').click()")  # shown on a phone only
            await page.get_by_role("button", name=LONG).click()
            await expect(page.locator("#meeting h2")).to_have_text(LONG)
            await check_fits(page)
        await check_accessible(page)
        await keep_picture(page, f"{name}-{scheme}-{size[0]}")
        await page.context.close()


async def test_now_says_what_is_wrong_and_what_to_do(open_page: OpenPage, stage: Stage) -> None:
    page = await open_ready(open_page, stage, "now")
    await expect(page.locator("#verdict-title")).to_have_text("1 fault")
    trouble = page.locator(".trouble")
    await expect(trouble).to_contain_text("Calendar and inbox of LidiaH@contoso.com: Access denied (403")
    await expect(trouble.locator(".trouble-do")).to_contain_text("Give the application Mail.Read")
    await expect(trouble).to_contain_text("ResponseSyncMailboxFaulty")


async def test_now_shows_mailboxes_and_processes_with_their_state(open_page: OpenPage, stage: Stage) -> None:
    page = await open_ready(open_page, stage, "now")
    rows = page.locator("#mailboxes tbody tr")
    await expect(rows).to_have_count(4)
    await expect(rows.first).to_contain_text("faulty")
    await expect(rows.last).to_contain_text("watched")
    await expect(rows.last).to_contain_text("in 6 d")
    await expect(rows.last).to_contain_text("4 min")
    await expect(page.locator("#processes-sum")).to_have_text("1 web, 1 worker, 1 keeper")
    await expect(page.locator("#processes tbody")).to_contain_text("keeper (leads)")


async def test_the_plots_move_while_one_looks(open_page: OpenPage, stage: Stage) -> None:
    page = await open_ready(open_page, stage, "now")
    flow = page.locator("#plot-flow")
    await expect(flow.locator("path.line")).to_have_count(2)
    before = await flow.locator("path.line").first.get_attribute("d")
    await stage.beat("web-7f4c-1", ("web",), stored=5_000)
    await expect(flow.locator(".scale")).to_have_text("10,000")
    assert await flow.locator("path.line").first.get_attribute("d") != before
    await expect(page.locator("#plot-graph rect")).to_have_count(65)  # 60 minutes, 5 of them throttled


async def test_now_turns_well_when_the_fault_is_repaired(open_page: OpenPage, stage: Stage) -> None:
    page = await open_ready(open_page, stage, "now")
    await expect(page.locator("#verdict")).to_have_attribute("data-state", "bad")
    for book in ("roster", "owners"):
        key = f"{{{stage.settings.stream}}}:book:{book}"
        await stage.streams.link.call("HDEL", key, "lidiah@contoso.com", "lidia")
    await expect(page.locator("#verdict-title")).to_have_text("All is well")
    await expect(page.locator("#verdict")).to_have_attribute("data-state", "good")
    await expect(page.locator(".trouble")).to_have_count(0)


async def test_a_meeting_is_found_by_words_and_tells_who_is_coming_and_why(
    open_page: OpenPage, stage: Stage
) -> None:
    page = await open_ready(open_page, stage, "meetings")
    await expect(page.locator("button.row")).to_have_count(2)
    await page.get_by_role("searchbox").fill("christie lunch")
    await expect(page.locator("button.row")).to_have_count(1)
    await page.get_by_role("button", name=LUNCH).click()
    christie = page.locator(".person", has_text="Christie Cline")
    await expect(christie.locator(".now")).to_have_text("tentative reported")
    await expect(christie.locator(".witness").nth(0)).to_contain_text("Message saystentative")
    await expect(christie.locator(".witness").nth(1)).to_contain_text("Calendar saysnothing")
    await christie.get_by_text("Why", exact=True).click()
    story = christie.locator(".story")
    await expect(story).to_contain_text("it stands opposite the calendar")
    await expect(story).to_contain_text("response.changed no answer → tentative (reported)")


async def test_an_open_meeting_changes_under_the_eyes_and_its_open_story_stays_open(
    open_page: OpenPage, stage: Stage
) -> None:
    page = await open_ready(open_page, stage, "meetings")
    await page.get_by_role("button", name=LUNCH).click()
    christie = page.locator(".person", has_text="Christie Cline")
    await christie.get_by_text("Why", exact=True).click()
    read = build_meeting(
        "040000008200e00074c5b7101a82e008",
        LUNCH,
        row("christiec@contoso.com", "declined", 400),
        row("meganb@contoso.com", "accepted", 150),
    )
    read = replace(read, last_modified=at(500), seen=at(500))
    await stage.commit(read)
    await expect(christie.locator(".now")).to_have_text("declined recorded")
    await expect(christie.locator("details")).to_have_attribute("open", "")
    await expect(page.get_by_role("button", name=LUNCH)).to_contain_text("1 no")


async def test_what_people_wrote_is_shown_as_text(open_page: OpenPage, stage: Stage) -> None:
    page = await open_ready(open_page, stage, "meetings")
    await page.get_by_role("button", name=LUNCH).click()
    await expect(page.locator(".person", has_text="<img src=x onerror=alert(1)>")).to_be_visible()
    assert await page.locator("main img").count() == 0


async def test_on_a_phone_a_meeting_takes_the_place_of_the_list_and_gives_it_back(
    open_page: OpenPage, stage: Stage
) -> None:
    page = await open_ready(open_page, stage, "meetings", size=PHONE)
    await page.get_by_role("button", name=LUNCH).click()
    await expect(page.locator("#list")).to_be_hidden()
    await page.get_by_role("button", name="Back to the list").click()
    await expect(page.locator("#meeting")).to_be_hidden()
    await expect(page.get_by_role("button", name=LUNCH)).to_be_focused()


async def test_a_dead_letter_is_requeued_and_the_count_falls(open_page: OpenPage, stage: Stage) -> None:
    await stage.bury("m1", "no_access", "AccessError: 403")
    page = await open_ready(open_page, stage, "letters")
    await expect(page.locator("#dead-count")).to_have_text("1")
    letter = page.locator(".letter")
    await expect(letter).to_contain_text("Graph denies access to the mailbox.")
    await letter.get_by_role("button", name="Requeue").click()
    await expect(page.locator("#sum")).to_have_text("1 entry requeued, 0 left")
    await expect(page.locator(".empty")).to_be_visible()
    await expect(page.locator("#dead-count")).to_be_hidden()
    (waiting,) = await stage.streams.intake.read("c", count=10, block_s=0)
    assert (waiting.fields["item"], waiting.fields["origin"]) == ("m1", "replay")


async def test_nothing_is_dropped_before_it_is_confirmed(open_page: OpenPage, stage: Stage) -> None:
    await stage.bury("", "malformed", "not an intake entry")
    page = await open_ready(open_page, stage, "letters")
    await expect(page.get_by_role("button", name="Requeue 1")).to_have_count(0)  # it cannot be tried again
    await page.get_by_role("button", name="Drop 1").click()
    await page.get_by_role("button", name="Keep").click()
    assert await stage.streams.dead_letters.count() == 1
    await page.get_by_role("button", name="Drop 1").click()
    await page.keyboard.press("Escape")
    assert await stage.streams.dead_letters.count() == 1
    await page.get_by_role("button", name="Drop these").click()
    await page.get_by_role("dialog").get_by_role("button", name="Drop").click()
    await expect(page.locator("#sum")).to_have_text("1 entry dropped, 0 left")
    assert await stage.streams.dead_letters.count() == 0


async def test_dead_letters_that_come_appear_and_can_be_narrowed_to_a_reason(
    open_page: OpenPage, stage: Stage
) -> None:
    await stage.bury("m1", "no_access", "AccessError: 403")
    page = await open_ready(open_page, stage, "letters")
    await stage.bury("m2", "throttled", "ThrottledError: 429")
    await expect(page.locator(".letter")).to_have_count(2)
    await page.get_by_label("Reason").select_option("throttled")
    await expect(page.locator(".letter")).to_have_count(1)
    await page.get_by_role("button", name="Requeue these").click()
    await expect(page.locator(".empty")).to_have_text("None of this reason.")
    assert await stage.streams.dead_letters.count() == 1


async def test_everything_is_reached_by_keyboard(open_page: OpenPage, stage: Stage) -> None:
    page = await open_ready(open_page, stage, "meetings")
    await page.keyboard.press("Tab")
    await expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    await page.keyboard.press("Enter")
    await expect(page.locator("#main")).to_be_focused()
    await page.keyboard.press("Tab")
    await expect(page.get_by_role("searchbox")).to_be_focused()
    await page.keyboard.type("budget")
    await page.keyboard.press("Enter")
    await expect(page.locator("button.row")).to_have_count(1)
    await page.keyboard.press("Tab")
    await page.keyboard.press("Tab")
    await expect(page.locator("button.row")).to_be_focused()
    await page.keyboard.press("Enter")
    await expect(page.locator("#meeting h2")).to_be_focused()


async def test_redis_being_away_is_said_with_its_remedy(open_page: OpenPage, stage: Stage) -> None:
    page = await open_ready(open_page, stage, "now")
    key = stage.streams.keys.intake
    await stage.streams.link.call("DEL", key)
    await stage.streams.link.call("SET", key, "in the way")
    await expect(page.locator("#verdict-text")).to_have_text("Nothing can be seen until it is repaired.")
    await expect(page.locator(".trouble")).to_contain_text("Start Redis or repair the way to it")
    await stage.streams.link.call("DEL", key)
    await expect(page.locator("#verdict-title")).to_have_text("1 fault")


async def test_a_browser_signs_in_with_the_token_and_out_again(
    open_page: OpenPage, browser_redis: EmbeddedRedis, browser_prefix: str
) -> None:
    async with open_stage(browser_redis.url, browser_prefix, token=TOKEN) as stage:
        await fill(stage)
        page = await open_page(stage.url + "/meetings", expects=("403", "401"))
        await expect(page.get_by_role("heading", name="response-sync")).to_be_visible()
        await check_accessible(page)
        await keep_picture(page, "login")
        await page.get_by_label("Admin token").fill("wrong")
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("alert")).to_have_text("That is not the token.")
        await page.get_by_label("Admin token").fill(TOKEN)
        await page.get_by_role("button", name="Sign in").click()
        await page.wait_for_selector(READY["now"])
        assert TOKEN not in page.url
        (cookie,) = await page.context.cookies()
        assert (cookie.get("httpOnly"), cookie.get("sameSite")) == (True, "Strict")
        assert TOKEN not in str(cookie.get("value"))
        await page.get_by_role("button", name="Sign out").click()
        await expect(page.get_by_label("Admin token")).to_be_visible()
        assert await page.context.cookies() == []
        await page.context.close()
