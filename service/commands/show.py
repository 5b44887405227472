"""`show`: who is coming, from the state that is held. Reads only."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

import typer
from rich.table import Table

from service.bootstrap.redis_side import open_streams
from service.commands.finding import find_meeting, find_owner
from service.commands.running import prepare, run
from service.commands.screen import build_table, open_screen, print_json, show_text
from service.commands.update_text import STANDING_STYLES, VALUE_STYLES
from service.limits.deciding import take_decision_limits
from service.pipeline.committer import read_state
from service.settings import Scope, Settings
from service.views.attendance import Shown, describe_attendance


def show(
    owner: Annotated[str, typer.Argument(help="Address, alias or object id of a watched owner.")],
    meeting: Annotated[
        str | None,
        typer.Argument(
            help="Key, event id, iCalUId or part of the subject; all if not given.", show_default=False
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Show the attendees of an owner's meetings with answer, standing and witnesses."""
    shown = run(_read(prepare(Scope.REDIS), owner, meeting))
    if as_json:
        print_json(shown)
        return
    screen = open_screen()
    for one in shown:
        screen.print(_build_table(one) if meeting else show_text(_summarize(one)))
    if not shown:
        screen.print(show_text("No meeting is held."))


async def _read(settings: Settings, given_owner: str, given_meeting: str | None) -> list[Shown]:
    """Give what is so for each instance of the meetings that were named."""
    async with open_streams(settings) as streams:
        owner = await find_owner(streams.records, given_owner)
        if given_meeting is None:
            meetings = await streams.states.list_meetings(owner.key)
        else:
            meetings = (await find_meeting(streams.states, owner, given_meeting),)
        tolerance_ns = take_decision_limits(settings).tolerance_ns
        return [
            {"owner": owner.address, "meeting": meeting, **one}
            for meeting in meetings
            for one in describe_attendance(
                (await read_state(streams.states, owner.key, meeting)).facts, tolerance_ns=tolerance_ns
            )
        ]


def _summarize(one: Shown) -> str:
    tally = ", ".join(f"{count} {value}" for value, count in one["tally"].items() if count)
    when = f"{one['start']['dateTime'][:16]} {one['start']['timeZone']}"
    ending = f" [{one['ending']}]" if one["ending"] else ""
    instance = f" on {one['instance']}" if one["instance"] else ""
    return f"{one['meeting']}{instance}  {when}  {one['subject'] or 'private'}{ending}: {tally or 'nobody'}"


def _build_table(one: Shown) -> Table:
    columns = ("attendee", "address", "answer", "standing", "answered at", "message says", "calendar says")
    return build_table(_summarize(one), columns, _list_rows(one))


def _list_rows(one: Shown) -> Iterator[tuple[object, ...]]:
    for attendee in one["attendees"]:
        value, standing = attendee["value"], attendee["standing"]
        yield (
            attendee["name"],
            attendee["address"],
            show_text(value, VALUE_STYLES.get(value, "")),
            show_text(
                standing + (", overdue" if attendee["overdue"] else ""), STANDING_STYLES.get(standing, "")
            ),
            attendee["time"] or "",
            _join(attendee["message"]),
            _join(attendee["event"]),
        )


def _join(witness: dict[str, str | None] | None) -> str:
    return "" if witness is None else f"{witness['value']} {witness['time'] or ''}".strip()
