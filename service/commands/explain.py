"""`explain`: the story of an answer: facts, rule, what was published and what was skipped. Reads only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Final

import typer

from service.bootstrap.redis_side import Streams, open_streams
from service.cloud_events import Redacted, build_redactor, build_source
from service.commands.explain_text import draw_story
from service.commands.finding import find_meeting, find_owner
from service.commands.running import prepare, run
from service.commands.screen import open_screen, print_json, show_text
from service.commands.story import Published, Shown, describe_story
from service.errors import CommandError
from service.limits.deciding import take_decision_limits
from service.ports import StoredMeeting
from service.reconcile.explain import AttendeeStory, explain
from service.reconcile.matching import normalize_address
from service.reconcile.model import WHOLE, MeetingKey
from service.reconcile.state import decode_state
from service.roster import WatchedOwner
from service.settings import Scope, Settings

PAGE_UPDATES: Final = 1_000
CLOCK_SLACK_MS: Final = 60_000
"""Epochs may run ahead of the ids of a stream by a little, where many meetings were born at once."""


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
        search = await _search(settings, streams, owner, meeting, stored)
    redactor = build_redactor(settings.redact, settings.secret_key.get_secret_value().encode())
    return {
        "owner": owner.address,
        "meeting": meeting,
        "epoch": stored.epoch,
        "publishedSearchedTo": search.ended_at,
        "attendees": [
            describe_story(
                story,
                [
                    one
                    for one in search.found
                    if one.subject == redactor.apply(Redacted.ADDRESSES, story.person)
                ],
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


@dataclass(frozen=True, slots=True, kw_only=True)
class _Search:
    """What a meeting's stream says.

    Attributes:
        found: oldest first.
        ended_at: id of the oldest update that was looked at, where there may be older ones; else empty.
    """

    found: list[Published]
    ended_at: str


async def _search(
    settings: Settings, streams: Streams, owner: WatchedOwner, meeting: MeetingKey, stored: StoredMeeting
) -> _Search:
    """Read the update stream backwards to the birth of the meeting's state, or to the limit."""
    stream = streams.keys.updates(streams.keys.partition_of(owner.key))
    source = build_source(owner.key, meeting, WHOLE)
    born_ms = (stored.epoch or 0) - CLOCK_SLACK_MS
    found: list[Published] = []
    before, left = "", settings.explain_updates_max
    while left > 0:
        page = await streams.updates.list_newest(stream, count=min(PAGE_UPDATES, left), before=before)
        for update in page:
            one = Published.read(update.id, update.fields)
            if one.source == source or one.source.startswith(f"{source}/instances/"):
                found.append(one)
        if len(page) < min(PAGE_UPDATES, left) or int(page[-1].id.partition("-")[0]) < born_ms:
            return _Search(found=found[::-1], ended_at="")
        before, left = page[-1].id, left - len(page)
    return _Search(found=found[::-1], ended_at=before)
