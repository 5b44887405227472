"""`login` and `logout`: people let the service read their own mailbox, or take that back.

Shows the code that a person enters in a browser; never a token. What is kept is sealed before it is stored.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, Any

import typer

from service.bootstrap.graph_side import Graph, open_graph
from service.bootstrap.keeper import build_destination
from service.bootstrap.redis_side import Streams, open_streams
from service.bootstrap.sign_in_side import build_device_code, build_sealer, list_scopes, take_terms
from service.clock import SystemClock
from service.commands.running import prepare, run
from service.commands.screen import build_table, open_screen, print_json, show_text
from service.errors import CommandError, GraphError, TokenError
from service.graph.device_code import Arrival, Invitation
from service.intake.client_state import parse_resource_path
from service.metrics import Metrics
from service.ports import GraphSubscription
from service.reconcile.matching import normalize_address
from service.reconcile.model import MailboxKey
from service.settings import Scope, Settings
from service.sign_ins.record import (
    SignIn,
    SignInStatus,
    decode_sign_in,
    encode_sign_in,
    find_sign_in,
    judge_sign_in,
)
from service.subscriptions.ledger import decode_book

_ROW = ("address", "state", "days left", "signed in", "last used", "permissions", "fault")
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON; the code goes to stderr.")]


def login(
    address: Annotated[
        str | None, typer.Argument(help="Who is to sign in; anybody else is refused.", show_default=False)
    ] = None,
    list_all: Annotated[bool, typer.Option("--list", help="List who has signed in; asks nobody.")] = False,
    as_json: Json = False,
) -> None:
    """Sign a person in by a code for a browser, so that the service reads their own mailbox."""
    if list_all:
        _show_list(run(_list(prepare(Scope.REDIS))), as_json=as_json)
        return
    sign_in = run(_sign_in(prepare(Scope.SERVICE), address))
    if as_json:
        print_json({"signedIn": sign_in.address, "id": sign_in.person, "permissions": sign_in.scopes})
    else:
        words = f"{sign_in.address} has signed in: the service reads this mailbox in their name."
        open_screen().print(show_text(words))


def logout(
    address: Annotated[str, typer.Argument(help="Address or object id of who signed in.")],
    as_json: Json = False,
) -> None:
    """Forget a person's sign-in, and end the subscriptions that were made in their name."""
    sign_in, ended, left = run(_sign_out(prepare(Scope.SERVICE), address))
    if as_json:
        print_json({"signedOut": sign_in.address, "subscriptionsEnded": ended, "subscriptionsLeft": left})
        return
    rest = f" {left} could not be ended now and end by themselves within days." if left else ""
    words = f"{sign_in.address} is signed out; {ended} subscriptions were ended.{rest}"
    open_screen().print(show_text(words, length_max=300))


async def _list(settings: Settings) -> list[SignInStatus]:
    async with open_streams(settings) as streams:
        sign_ins = await _read_sign_ins(streams)
    now, terms = SystemClock().now(), take_terms(settings)
    return [judge_sign_in(one, now=now, terms=terms) for one in sign_ins]


async def _read_sign_ins(streams: Streams) -> list[SignIn]:
    held = decode_book(await streams.sign_ins.read_all(), decode_sign_in)
    return sorted(held.values(), key=lambda one: one.address)


def _show_list(statuses: Sequence[SignInStatus], *, as_json: bool) -> None:
    rows = [_describe(one) for one in statuses]
    if as_json:
        print_json(rows)
        return
    cells = [
        (
            row["address"],
            row["state"],
            row["daysLeft"],
            row["signedInAt"],
            row["usedAt"],
            ", ".join(row["permissions"]),
            row["fault"],
        )
        for row in rows
    ]
    open_screen().print(build_table("Sign-ins", _ROW, cells))


def _describe(status: SignInStatus) -> dict[str, Any]:
    one = status.sign_in
    return {
        "address": one.address,
        "id": one.person,
        "name": one.name,
        "state": str(status.state),
        "endsAt": status.ends_at.isoformat(),
        "daysLeft": status.days_left,
        "signedInAt": one.signed_in_at.isoformat(timespec="seconds"),
        "usedAt": one.used_at.isoformat(timespec="seconds"),
        "permissions": list(one.scopes),
        "fault": status.words,
    }


# --- signing in ---


async def _sign_in(settings: Settings, address: str | None) -> SignIn:
    """Have somebody sign in, and keep it.

    Raises:
        CommandError: somebody else signed in than was named; nothing was kept.
        TokenError: nobody did.
    """
    arrival = await _meet(settings)
    if address is not None and normalize_address(address) != normalize_address(arrival.address):
        raise CommandError(
            f"{arrival.address} signed in, not {address}: nothing was kept. Let the right person enter the "
            "code, or name them by what they sign in with."
        )
    now = SystemClock().now()
    sign_in = SignIn(
        person=MailboxKey(arrival.person),
        address=arrival.address,
        aliases=(normalize_address(arrival.address),),
        name=arrival.name,
        scopes=list_scopes(settings),
        signed_in_at=now,
        used_at=now,
        sealed=build_sealer(settings).seal(arrival.cache, person=arrival.person),
    )
    async with open_streams(settings) as streams:
        await streams.sign_ins.put(sign_in.person, encode_sign_in(sign_in))
        return await _learn_aliases(settings, streams, sign_in)


async def _meet(settings: Settings) -> Arrival:
    device, session = build_device_code(settings)
    try:
        invitation = await device.invite()
        _show_invitation(invitation)
        return await device.wait(invitation)
    finally:
        session.close()


def _show_invitation(invitation: Invitation) -> None:
    """Tell where to enter which code; to stderr, so that what follows on stdout can be read by a program."""
    screen = open_screen(is_error=True)
    minutes = invitation.expires_in_s // 60
    words = f"Open {invitation.url} and enter the code {invitation.user_code} within {minutes} minutes."
    screen.print(show_text(words, length_max=300))


async def _learn_aliases(settings: Settings, streams: Streams, sign_in: SignIn) -> SignIn:
    """Ask Graph in their name under which addresses they are known, and keep that too."""
    async with open_graph(settings, Metrics(), streams) as graph:
        known = await _ask_about(graph, sign_in)
    await streams.sign_ins.put(known.person, encode_sign_in(known))
    return known


async def _ask_about(graph: Graph, sign_in: SignIn) -> SignIn:
    """Give the sign-in with all addresses; as it is where the person gave no leave to read them."""
    assert graph.sign_ins is not None
    try:
        found = await graph.directory.find_person(sign_in.person)
    except (GraphError, TokenError):
        return sign_in
    if found.key != sign_in.person:
        return sign_in
    present = graph.sign_ins.source_of(sign_in.person).sign_in  # with what Entra ID gave meanwhile
    aliases = tuple(sorted({*sign_in.aliases, *found.aliases}))
    return replace(present, address=found.address, name=found.name or present.name, aliases=aliases)


# --- signing out ---


async def _sign_out(settings: Settings, address: str) -> tuple[SignIn, int, int]:
    """Forget a sign-in; gives it, and how many subscriptions were ended and could not be.

    Raises:
        CommandError: nobody of that address has signed in.
    """
    async with open_streams(settings) as streams:
        sign_in = find_sign_in(await _read_sign_ins(streams), address)
        if sign_in is None:
            raise CommandError(f"{address} has not signed in; `response-sync login --list` shows who has.")
        async with open_graph(settings, Metrics(), streams) as graph:
            ended, left = await _end_subscriptions(settings, graph, sign_in)
        await streams.sign_ins.drop(sign_in.person)
    return sign_in, ended, left


async def _end_subscriptions(settings: Settings, graph: Graph, sign_in: SignIn) -> tuple[int, int]:
    """End what was made of ours for this person's mailbox; a sign-in that has ended can end nothing."""
    destination = build_destination(settings)
    try:
        held = await graph.subscriptions.list_subscriptions()
    except (GraphError, TokenError):
        return 0, 0
    wanted = [one for one in held if destination.is_ours(one) and _is_of(one, sign_in)]
    ended = 0
    for one in wanted:
        try:
            await graph.subscriptions.delete_subscription(one.id)
        except (GraphError, TokenError):
            continue
        ended += 1
    return ended, len(wanted) - ended


def _is_of(subscription: GraphSubscription, sign_in: SignIn) -> bool:
    resource = parse_resource_path(subscription.resource)
    return resource is not None and sign_in.is_of(resource.mailbox)
