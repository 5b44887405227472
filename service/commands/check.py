"""`check`: the preflight as a table, each fault with its remedy."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Final
from urllib.parse import urlsplit

import typer
from rich.text import Text

from service.bootstrap.graph_side import Graph, open_graph
from service.bootstrap.keeper import read_owners_file
from service.bootstrap.redis_side import Streams, open_streams
from service.bootstrap.rich_side import build_key_ring, open_authority
from service.bootstrap.sign_in_side import take_terms
from service.bootstrap.tracing import prepare_exporters
from service.bootstrap.web import build_web
from service.clock import SystemClock
from service.commands.group import EXIT_FAULT, EXIT_SETTINGS
from service.commands.running import prepare, run
from service.commands.screen import build_table, open_screen, print_json, show_text
from service.errors import ConfigError, StreamError, TokenError
from service.graph.trust import build_trust
from service.intake.appender import Durability
from service.metrics import Metrics
from service.ports import Book
from service.preflight.credential import check_client_certificate
from service.preflight.finding import Finding, State, fault, ok, warning
from service.preflight.mailboxes import MailboxCheck
from service.preflight.public_url import PublicUrl, check_public_url
from service.preflight.redis_server import check_layout, check_redis
from service.preflight.rich_keys import check_encryption_keys, check_signing_keys
from service.roster import RosterEntry, decode_roster_entry
from service.settings import MessageScope, Scope, Settings, SignInKind, find_unknown_names
from service.settings.faults import is_loopback
from service.settings.telemetry import read_telemetry
from service.sign_ins.record import SignInState, judge_sign_in
from service.subscriptions.ledger import decode_book

HANDSHAKE_TIMEOUT_S: Final = 10.0
_STYLES: Final = {State.OK: "green", State.WARNING: "yellow", State.FAULT: "bold red"}


def check(
    before_start: Annotated[
        bool,
        typer.Option("--before-start", help="Leave out the public URL, which only a running web answers."),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the findings as JSON.")] = False,
) -> None:
    """Check settings, Redis, token, permissions, mailboxes and the public URL; exit 1 on any fault."""
    try:
        settings = prepare(Scope.SERVICE)
    except ConfigError as error:
        _show([_explain_setting(sentence) for sentence in error.faults], as_json=as_json)
        raise typer.Exit(EXIT_SETTINGS) from error
    findings = run(_check(settings, before_start=before_start))
    _show(findings, as_json=as_json)
    if any(finding.state is State.FAULT for finding in findings):
        raise typer.Exit(EXIT_FAULT)


def _explain_setting(sentence: str) -> Finding:
    name, _, rest = sentence.partition(" ")
    detail, _, remedy = rest.partition(": ")
    return fault(name, detail, remedy or "Correct it; README lists what each setting may be.")


async def _check(settings: Settings, *, before_start: bool) -> list[Finding]:
    findings = [ok("settings", "complete"), *_check_environment(settings)]
    async with open_streams(settings) as streams, open_graph(settings, Metrics(), streams) as graph:
        findings += await check_redis(streams.link, streams.keys, Durability(settings.durability))
        findings.append(await check_layout(streams.generation))
        findings += await _check_mailboxes(settings, streams, graph)
        findings += await _check_rich(settings)
        if not before_start:
            findings += await _check_public_url(settings, streams)
    return findings


def _check_environment(settings: Settings) -> Iterator[Finding]:
    """Look at what was set beside the settings, and at files that they name."""
    for name in find_unknown_names():
        yield warning(name, "looks like a setting and is none", "Correct its name, or unset it.")
    if settings.client_certificate_file:
        yield check_client_certificate(Path(settings.client_certificate_file), now=datetime.now(UTC))
    telemetry = read_telemetry()
    if telemetry.exporters:
        try:
            prepare_exporters(telemetry)
        except ConfigError as error:
            yield warning("traces", str(error), "Install what is named, or unset the variables of OTEL_.")
        else:
            yield ok("traces", f"are sent by {', '.join(telemetry.exporters)}")


async def _check_rich(settings: Settings) -> list[Finding]:
    """Look at what rich notifications need, where they are on."""
    if not settings.is_rich:
        return []
    findings = list(check_encryption_keys(lambda: build_key_ring(settings)))
    async with open_authority(settings) as authority:
        return [*findings, await check_signing_keys(authority, now=SystemClock().now())]


async def _check_public_url(settings: Settings, streams: Streams) -> list[Finding]:
    """Try PUBLIC_URL; where no web of ours runs on this machine yet, one answers while we look."""
    bundle = Path(settings.ca_bundle) if settings.ca_bundle else None
    graph_host = urlsplit(settings.graph_url).hostname or ""
    is_local = is_loopback(graph_host)
    public = PublicUrl(
        url=settings.public_url,
        trust=build_trust(bundle),
        graph_trust=build_trust(None) if bundle and not is_local else None,
        is_local=is_local,
        timeout_s=HANDSHAKE_TIMEOUT_S,
    )
    try:
        async with _web_answering(settings, streams):
            return [finding async for finding in check_public_url(public)]
    except ConfigError as error:
        return [_explain_setting(sentence) for sentence in error.faults]


async def _check_mailboxes(settings: Settings, streams: Streams, graph: Graph) -> list[Finding]:
    roster = await _read_roster(settings, streams)
    mailboxes = MailboxCheck(
        tokens=None if settings.sign_in is SignInKind.DELEGATED else graph.tokens,
        directory=graph.directory,
        delta=graph.delta,
        subscriptions=graph.subscriptions,
        clock=SystemClock(),
        reads_whole_mailboxes=settings.messages is MessageScope.MAILBOX,
    )
    found = await _check_sign_ins(settings, graph)
    found += [finding async for finding in mailboxes.check(roster)]
    if not roster:
        remedy = "Name one: `response-sync owners add ADDRESS`, or RESPONSE_SYNC_OWNERS_FILE."
        found.append(warning("roster", "no owner is named: nothing is watched", remedy))
    return found


async def _check_sign_ins(settings: Settings, graph: Graph) -> list[Finding]:
    """Use each sign-in once, and tell how much time it has left."""
    table, terms, now = graph.sign_ins, take_terms(settings), SystemClock().now()
    found: list[Finding] = []
    for person in table.list_people() if table is not None else ():
        assert table is not None
        source = table.source_of(person)
        with contextlib.suppress(TokenError):  # what ended is told by its state
            await source.fetch_token()
        status = judge_sign_in(source.sign_in, now=now, terms=terms)
        words, _, remedy = status.words.partition(": ")
        tell = {SignInState.ENDED: fault, SignInState.ENDING: warning}.get(status.state)
        subject = f"sign-in of {source.sign_in.address}"
        if tell is None:
            found.append(ok(subject, f"good for {status.days_left} days unless it is used before"))
        else:
            found.append(tell(subject, words, f"{remedy[:1].upper()}{remedy[1:]}"))
    return found


async def _read_roster(settings: Settings, streams: Streams) -> Sequence[RosterEntry]:
    """Give the roster in Redis; where there is none, the one of OWNERS_FILE."""
    with contextlib.suppress(StreamError):  # told already, with its remedy
        if held := decode_book(await streams.records.read_all(Book.ROSTER), decode_roster_entry):
            return [entry for _, entry in sorted(held.items())]
    return read_owners_file(settings)


@asynccontextmanager
async def _web_answering(settings: Settings, streams: Streams) -> AsyncIterator[None]:
    """Let handshakes be answered while we look, where no web of ours runs on this machine yet."""
    stop = asyncio.Event()
    answering = asyncio.create_task(build_web(settings, streams, Metrics()).run(stop))
    await asyncio.wait([answering], timeout=0.3)  # a port that is taken shows at once
    try:
        yield
    finally:
        stop.set()
        with contextlib.suppress(ConfigError, ExceptionGroup):  # the port is taken: a web runs
            await answering


def _show(findings: Sequence[Finding], *, as_json: bool) -> None:
    if as_json:
        print_json(
            {
                "ok": all(finding.state is not State.FAULT for finding in findings),
                "findings": [
                    {
                        "subject": finding.subject,
                        "state": str(finding.state),
                        "detail": finding.detail,
                        "remedy": finding.remedy,
                    }
                    for finding in findings
                ],
            }
        )
        return
    rows = [(_badge(finding), finding.subject, finding.detail, finding.remedy) for finding in findings]
    screen = open_screen()
    screen.print(build_table("Preflight", ("", "what", "found", "remedy"), rows))
    screen.print(show_text(_sum_up(findings)))


def _sum_up(findings: Sequence[Finding]) -> str:
    """Count at the end, for whoever sees the end of a long table only."""
    counts = Counter(finding.state for finding in findings)
    faults, warnings = (_count(counts[state], str(state)) for state in (State.FAULT, State.WARNING))
    return f"{faults}, {warnings}, {counts[State.OK]} ok."


def _count(number: int, word: str) -> str:
    return f"{number} {word}{'' if number == 1 else 's'}"


def _badge(finding: Finding) -> Text:
    return show_text(str(finding.state), _STYLES[finding.state])
