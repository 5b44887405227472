"""`subscriptions`: what Graph holds and what we hold, side by side. Reads only."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any

import typer

from service.bootstrap.graph_side import open_graph
from service.bootstrap.keeper import build_destination, build_status_reader
from service.bootstrap.redis_side import open_streams
from service.clock import SystemClock
from service.commands.running import prepare, run
from service.commands.screen import build_table, open_screen, print_json
from service.metrics import Metrics
from service.ports import GraphSubscription
from service.settings import Scope, Settings
from service.subscriptions.status import ResourceStatus

_ROW = ("resource", "owners", "time left", "last notification", "staleness", "in Graph", "faults")

subscriptions = typer.Typer(no_args_is_help=True, help="Subscriptions: ours and Graph's side by side.")


@subscriptions.command("list", epilog="Example: response-sync subscriptions list --json")
def list_subscriptions(
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """List every watched resource with its subscription here and in Graph, and what Graph holds beside."""
    rows = run(_list(prepare(Scope.SERVICE)))
    if as_json:
        print_json(rows)
        return
    table = [_as_cells(row) for row in rows]
    open_screen().print(build_table("Subscriptions", _ROW, table))


async def _list(settings: Settings) -> list[dict[str, Any]]:
    """Give a row per watched resource, then one per subscription of ours in Graph that no record names.

    Raises:
        GraphError, TokenError, StreamError: one side cannot be read.
    """
    async with open_streams(settings) as streams, open_graph(settings, Metrics()) as graph:
        status = await build_status_reader(settings, streams, SystemClock()).read()
        held = {one.id: one for one in await graph.subscriptions.list_subscriptions()}
    known = {one.subscription_id for one in status.resources}
    destination = build_destination(settings)
    rows = [_describe(one, held) for one in status.resources]
    strays = [one for one in held.values() if one.id not in known and destination.is_ours(one)]
    return [*rows, *(_describe_stray(one) for one in strays)]


def _describe(one: ResourceStatus, held: Mapping[str, GraphSubscription]) -> dict[str, Any]:
    graphs = held.get(one.subscription_id)
    return {
        "resource": one.name,
        "owners": list(one.owners),
        "subscription": one.subscription_id or None,
        "expiresAt": one.expires_at.isoformat() if one.expires_at else None,
        "leftS": round(one.left_s),
        "lastNotificationAt": one.heard_at.isoformat() if one.heard_at else None,
        "stalenessS": None if one.staleness_s is None else round(one.staleness_s, 1),
        "silent": one.is_silent,
        "graph": None if graphs is None else {"expiresAt": graphs.expires_at.isoformat()},
        "faults": list(one.faults),
    }


def _describe_stray(one: GraphSubscription) -> dict[str, Any]:
    return {
        "resource": one.resource,
        "owners": [],
        "subscription": one.id,
        "expiresAt": None,
        "leftS": 0,
        "lastNotificationAt": None,
        "stalenessS": None,
        "silent": False,
        "graph": {"expiresAt": one.expires_at.isoformat()},
        "faults": ["Graph holds it and no record names it: the keeper adopts or deletes it."],
    }


def _as_cells(row: Mapping[str, Any]) -> tuple[str, ...]:
    return (
        row["resource"],
        ", ".join(row["owners"]),
        _format_span(row["leftS"]),
        row["lastNotificationAt"] or "none yet",
        "unknown" if row["stalenessS"] is None else _format_span(row["stalenessS"]),
        row["graph"]["expiresAt"] if row["graph"] else "missing",
        "; ".join(_list_faults(row)),
    )


def _list_faults(row: Mapping[str, Any]) -> Iterator[str]:
    if row["silent"]:
        yield "silent: notifications stay away"
    yield from row["faults"]


def _format_span(seconds: float) -> str:
    """Give a span in its two largest units."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    parts = [(days, "d"), (hours, "h"), (minutes, "min"), (rest, "s")]
    largest = next((at for at, (count, _) in enumerate(parts) if count), len(parts) - 1)
    return " ".join(f"{count} {unit}" for count, unit in parts[largest : largest + 2])
