"""`subscriptions`: what Graph holds and what we hold, side by side; and having the keeper change it."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Final

import typer

from service.bootstrap.graph_side import open_graph
from service.bootstrap.keeper import build_destination, build_status_reader
from service.bootstrap.redis_side import open_streams
from service.clock import SystemClock
from service.commands.group import EXIT_FAULT
from service.commands.requests import Target, ask_keeper, find_target, report
from service.commands.running import prepare, run
from service.commands.screen import build_table, open_screen, print_json
from service.errors import CommandError
from service.metrics import Metrics
from service.settings import Scope, Settings
from service.subscriptions.records import Request, RequestKind
from service.subscriptions.side_by_side import SubscriptionLine, list_side_by_side

_ROW: Final = (
    "resource",
    "mailbox",
    "for",
    "time left",
    "last notification",
    "staleness",
    "in Graph",
    "subscription",
    "faults",
)
_STRAY: Final = "Graph holds it and no record names it: the keeper adopts or deletes it."
_FOREIGN: Final = "Another deployment's or another service's: left alone."
_ENDED: Final = "An operator ended it; `subscriptions recreate` makes a new one."

What = Annotated[
    str | None,
    typer.Argument(
        metavar="[WHAT]",
        help="A resource, the id of its subscription, or an owner; everything that is watched if not given.",
        show_default=False,
    ),
]
WaitS = Annotated[
    float, typer.Option("--wait-s", min=0, help="How long to wait for the keeper to do it; 0 does not wait.")
]
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]

subscriptions = typer.Typer(
    no_args_is_help=True, help="Subscriptions: ours and Graph's side by side; renewed, recreated or ended."
)


@subscriptions.command("list", epilog="Example: response-sync subscriptions list --json")
def list_subscriptions(as_json: Json = False) -> None:
    """List every watched resource with its subscription here and in Graph, and what Graph holds beside."""
    rows = run(_list(prepare(Scope.SERVICE)))
    if as_json:
        print_json(rows)
        return
    table = [_as_cells(row) for row in rows]
    open_screen().print(build_table("Subscriptions", _ROW, table))


@subscriptions.command("renew", epilog="Example: response-sync subscriptions renew alex@contoso.com")
def renew_subscriptions(what: What = None, wait_s: WaitS = 60.0, as_json: Json = False) -> None:
    """Have subscriptions renewed now, whatever time they have left."""
    _ask(RequestKind.RENEW, what, wait_s, did="renewed", as_json=as_json)


@subscriptions.command("recreate", epilog="Example: response-sync subscriptions recreate alex@contoso.com")
def recreate_subscriptions(what: What = None, wait_s: WaitS = 60.0, as_json: Json = False) -> None:
    """Have subscriptions replaced by new ones, also where they were deleted; the gap is read."""
    _ask(RequestKind.RECREATE, what, wait_s, did="made anew", as_json=as_json)


@subscriptions.command("delete", epilog="Example: response-sync subscriptions delete alex@contoso.com")
def delete_subscriptions(
    what: What = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    wait_s: WaitS = 60.0,
    as_json: Json = False,
) -> None:
    """End subscriptions, and make none until `recreate`; sweeps go on. Takes ids of leftovers too."""
    if what is None and not yes and sys.stdin.isatty():
        question = "End every subscription of this deployment, so that changes are found by sweeps only?"
        if not typer.confirm(question, err=True):
            raise CommandError("Nothing was changed.")
    _ask(RequestKind.DELETE, what, wait_s, did="ended", as_json=as_json)


def _ask(kind: RequestKind, what: str | None, wait_s: float, *, did: str, as_json: bool) -> None:
    request, target = run(_carry_out(prepare(Scope.REDIS), kind, what, wait_s))
    if not report(request, target, did=did, wait_s=wait_s, as_json=as_json):
        raise typer.Exit(EXIT_FAULT)


async def _carry_out(
    settings: Settings, kind: RequestKind, what: str | None, wait_s: float
) -> tuple[Request, Target]:
    async with open_streams(settings) as streams:
        status = await build_status_reader(settings, streams, SystemClock()).read()
        target = await find_target(streams, status, what, takes_any_id=kind is RequestKind.DELETE)
        return await ask_keeper(streams, kind, target, wait_s=wait_s), target


async def _list(settings: Settings) -> list[dict[str, Any]]:
    """Give a row per watched resource and subscription of ours in Graph, then one per other in Graph.

    Raises:
        GraphError, TokenError, StreamError: one side cannot be read.
    """
    clock = SystemClock()
    async with open_streams(settings) as streams, open_graph(settings, Metrics(), streams) as graph:
        status = await build_status_reader(settings, streams, clock).read()
        in_graph = await graph.subscriptions.list_subscriptions()
    destination = build_destination(settings)
    now = clock.now()
    lines = list_side_by_side(status, in_graph, is_ours=destination.is_ours)
    return [_describe(line) | _describe_graphs(line, now.timestamp()) for line in lines]


def _describe(line: SubscriptionLine) -> dict[str, Any]:
    """Give our side of a line."""
    ours, graphs = line.status, line.in_graph
    if ours is None or (graphs is not None and not line.is_held):
        return {
            "resource": ours.name if ours else graphs.resource if graphs else "",
            "mailbox": ours.mailbox if ours else "",
            "owners": list(ours.owners) if ours else [],
            "subscription": graphs.id if graphs else None,
            "expiresAt": None,
            "leftS": 0,
            "lastNotificationAt": None,
            "stalenessS": None,
            "silent": False,
            "notices": [],
            "faults": [_STRAY if line.is_ours else _FOREIGN],
        }
    return {
        "resource": ours.name,
        "mailbox": ours.mailbox,
        "owners": list(ours.owners),
        "subscription": ours.subscription_id or None,
        "expiresAt": ours.expires_at.isoformat() if ours.expires_at else None,
        "leftS": round(ours.left_s),
        "lastNotificationAt": ours.heard_at.isoformat() if ours.heard_at else None,
        "stalenessS": None if ours.staleness_s is None else round(ours.staleness_s, 1),
        "silent": ours.is_silent,
        "notices": list(ours.notices),
        "faults": [*([_ENDED] if ours.deleted_at else []), *ours.faults],
    }


def _describe_graphs(line: SubscriptionLine, now_s: float) -> dict[str, Any]:
    """Give Graph's side of a line."""
    one = line.in_graph
    if one is None:
        return {"ours": True, "graph": None}
    left_s = round(one.expires_at.timestamp() - now_s)
    return {
        "ours": line.is_ours,
        "graph": {"id": one.id, "expiresAt": one.expires_at.isoformat(), "leftS": left_s},
    }


def _as_cells(row: Mapping[str, Any]) -> tuple[str, ...]:
    return (
        row["resource"],
        row["mailbox"],
        ", ".join(owner for owner in row["owners"] if owner != row["mailbox"]),
        _format_span(row["leftS"]),
        row["lastNotificationAt"] or "none yet",
        "unknown" if row["stalenessS"] is None else _format_span(row["stalenessS"]),
        _format_span(row["graph"]["leftS"]) if row["graph"] else "missing",
        row["subscription"] or "",
        "; ".join(_list_faults(row)),
    )


def _list_faults(row: Mapping[str, Any]) -> Iterator[str]:
    if row["silent"]:
        yield "silent: notifications stay away"
    yield from row["faults"]
    yield from row["notices"]


def _format_span(seconds: float) -> str:
    """Give a span in its two largest units; none at all where it is over."""
    minutes, rest = divmod(max(int(seconds), 0), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    parts = [(days, "d"), (hours, "h"), (minutes, "min"), (rest, "s")]
    largest = next((at for at, (count, _) in enumerate(parts) if count), len(parts) - 1)
    return " ".join(f"{count} {unit}" for count, unit in parts[largest : largest + 2])
