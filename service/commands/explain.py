"""`explain`: the story of an answer: facts, rule, what was published and what was skipped. Reads only."""

from __future__ import annotations

from typing import Annotated

import typer

from service.bootstrap.deciding import take_redactor
from service.bootstrap.redis_side import open_streams
from service.cloud_events import Redacted, build_source
from service.commands.explain_text import draw_story
from service.commands.finding import find_meeting, find_owner
from service.commands.running import prepare, run
from service.commands.screen import open_screen, print_json, show_text
from service.errors import CommandError
from service.limits.deciding import take_decision_limits
from service.reconcile.explain import AttendeeStory, explain
from service.reconcile.matching import normalize_address
from service.reconcile.model import WHOLE
from service.reconcile.state import decode_state
from service.settings import Scope, Settings
from service.views.published import search_published, select_story
from service.views.story import Shown, describe_story


def explain_answers(
    owner: Annotated[str, typer.Argument(help="Address, alias, name or object id of a watched owner.")],
    meeting: Annotated[
        str, typer.Argument(help="Key, event id or iCalUId of a meeting, or a part of its subject.")
    ],
    attendee: Annotated[
        str | None,
        typer.Argument(help="Address or name of an attendee; all if not given.", show_default=False),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Tell the story of an answer: facts, rule, what was published, what was skipped."""
    shown = run(_read(prepare(Scope.REDIS), owner, meeting, attendee))
    if as_json:
        print_json(shown)
        return
    screen = open_screen()
    for one in shown["attendees"]:
        for line in draw_story(shown, one):
            screen.print(line)
    if shown["publishedSearchedTo"]:
        screen.print(
            show_text(f"Older updates than {shown['publishedSearchedTo']} were not looked at.", "dim")
        )


async def _read(settings: Settings, given_owner: str, given_meeting: str, attendee: str | None) -> Shown:
    async with open_streams(settings) as streams:
        owner = await find_owner(streams.records, given_owner)
        meeting = await find_meeting(streams.states, owner, given_meeting)
        stored = await streams.states.read(owner.key, meeting)
        limits = take_decision_limits(settings)
        stories = explain(decode_state(stored.fields), tolerance_ns=limits.tolerance_ns)
        chosen = _choose(stories, attendee)
        search = await search_published(
            streams.updates,
            streams.keys.updates(streams.keys.partition_of(owner.key)),
            source=build_source(owner.key, meeting, WHOLE),
            epoch=stored.epoch,
            entries_max=settings.explain_updates_max,
        )
    redactor = take_redactor(settings)
    return {
        "owner": owner.address,
        "meeting": meeting,
        "epoch": stored.epoch,
        "publishedSearchedTo": search.ended_at,
        "attendees": [
            describe_story(
                story, select_story(search.found, redactor.apply(Redacted.ADDRESSES, story.person))
            )
            for story in chosen
        ],
    }


def _choose(stories: tuple[AttendeeStory, ...], given: str | None) -> list[AttendeeStory]:
    """Give the attendee that was named, by any of their addresses or the only one of that name, else all.

    Raises:
        CommandError: nothing is held of such an attendee.
    """
    if given is None:
        return list(stories)
    wanted = normalize_address(given)
    for story in stories:
        if wanted in (story.person, *(name for each in story.aliases for name in (each.alias, each.person))):
            return [story]
    named = [story for story in stories if wanted and wanted in story.name.casefold()]
    if len(named) == 1:
        return named
    held = ", ".join(story.person for story in stories) or "nobody"
    problem = f"{len(named)} attendees are like" if named else "Nothing is held of"
    raise CommandError(f"{problem} {given!r}. Held: {held}.")
