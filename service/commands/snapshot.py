"""`snapshot`: says everything once more, for a consumer that is new or has lost something."""

from __future__ import annotations

from typing import Annotated

import typer

from service.bootstrap.deciding import build_committer
from service.bootstrap.redis_side import open_streams
from service.clock import SystemClock
from service.commands.finding import choose_owners
from service.commands.running import prepare, run
from service.commands.screen import open_screen, print_json, show_text
from service.reconcile.emit import UpdateType
from service.settings import Scope, Settings


def snapshot(
    owner: Annotated[
        str | None, typer.Argument(help="Address or object id; every owner if not given.", show_default=False)
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Append a response.snapshot for every attendee of every meeting held."""
    meetings, updates = run(_publish(prepare(Scope.REDIS), owner))
    if as_json:
        print_json({"meetings": meetings, "snapshots": updates})
    else:
        open_screen().print(show_text(f"{updates} snapshots of {meetings} meetings were published."))


async def _publish(settings: Settings, given: str | None) -> tuple[int, int]:
    """Give how many meetings were held, and how many snapshots were published."""
    meetings = updates = 0
    async with open_streams(settings) as streams:
        committer = build_committer(settings, streams, SystemClock())
        for owner in await choose_owners(streams.records, given):
            for meeting in await streams.states.list_meetings(owner.key):
                outcome = await committer.commit(owner, meeting, with_snapshot=True)
                meetings += 1
                updates += sum(said.type is UpdateType.SNAPSHOT for said in outcome.said)
    return meetings, updates
