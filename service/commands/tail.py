"""`tail`: follows the update stream, for a person or as JSON lines. Never acknowledges or trims anything."""

from __future__ import annotations

from typing import Annotated

import typer

from service.bootstrap.redis_side import open_streams
from service.commands.running import prepare, run
from service.commands.screen import open_screen, print_json
from service.commands.update_text import describe_update
from service.settings import Scope, Settings
from service.streams.update_stream import BEGINNING, PublishedUpdate


def tail(
    from_beginning: Annotated[
        bool, typer.Option("--from-beginning", help="Begin with the oldest update held.")
    ] = False,
    count: Annotated[
        int | None, typer.Option(min=1, help="End after so many updates; follow for ever if not given.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object per update.")] = False,
) -> None:
    """Follow the update stream: one line per update, as it is published."""
    settings = prepare(Scope.REDIS)
    run(_follow(settings, from_beginning=from_beginning, count=count, as_json=as_json))


async def _follow(settings: Settings, *, from_beginning: bool, count: int | None, as_json: bool) -> None:
    async with open_streams(settings) as streams:
        reader = streams.updates
        positions = dict.fromkeys(reader.streams, BEGINNING) if from_beginning else await reader.find_ends()
        shown = 0
        async for update in reader.tail(positions):
            _show(update, as_json=as_json)
            shown += 1
            if shown == count:
                return


def _show(update: PublishedUpdate, *, as_json: bool) -> None:
    if as_json:
        print_json({"stream": update.stream, "entry": update.id, "fields": dict(update.fields)})
    else:
        open_screen().print(describe_update(update.id, update.fields))
