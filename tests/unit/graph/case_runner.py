"""Runs the cases of tests/fixtures/graph: what Graph sent, and what must come out.

python -m tests.unit.graph.case_runner NAME     writes expected.json of a case anew, to be read and judged
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from service.errors import GraphError
from service.graph.answer import Answer
from service.graph.delta import GraphDelta
from service.graph.directory import GraphDirectory
from service.graph.mailboxes import GraphMailboxes
from service.graph.subscriptions import GraphSubscriptions
from service.ports import SubscriptionSpec
from service.reconcile.model import EventId, MailboxKey, MessageId, OwnerKey
from tests.unit.graph.replies import RecordingObserver, in_order, reply
from tests.unit.graph.words import describe, describe_error

CASES = Path(__file__).parents[2] / "fixtures" / "graph"
_WHEN = datetime(2019, 12, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Case:
    """One folder.

    Attributes:
        request: `call` is what was read, the rest its arguments; `about` says in a sentence what is odd.
        answer: as it came over the wire.
    """

    name: str
    request: dict[str, Any]
    answer: Answer

    @property
    def expected_file(self) -> Path:
        return CASES / self.name / "expected.json"


def list_cases() -> list[str]:
    """Give the names of all cases."""
    return sorted(folder.name for folder in CASES.iterdir() if (folder / "request.json").exists())


def load_case(name: str) -> Case:
    """Read a case; the body is `body.json`, or `body.txt` where it is not JSON, or empty."""
    folder = CASES / name
    answer = json.loads((folder / "answer.json").read_text())
    bodies = [folder / "body.json", folder / "body.txt"]
    raw = next((file.read_bytes() for file in bodies if file.exists()), b"")
    return Case(
        name=name,
        request=json.loads((folder / "request.json").read_text()),
        answer=reply(status=answer["status"], headers=answer.get("headers"), raw=raw),
    )


async def run_case(case: Case) -> dict[str, Any]:
    """Read the case's answer as the service does; gives what came out, in our words."""
    observer = RecordingObserver()
    try:
        outcome: dict[str, Any] = {"value": describe(await _call(case, observer))}
    except GraphError as error:
        outcome = describe_error(error)
    return outcome | ({"notes": observer.notes} if observer.notes else {})


def _call(case: Case, observer: RecordingObserver) -> Awaitable[object]:
    sender = in_order(case.answer)
    mailbox = MailboxKey(case.request.get("mailbox", "adele"))
    owner = OwnerKey(case.request.get("owner", "alex"))
    item = case.request.get("id", "item")
    mailboxes = GraphMailboxes(sender, observer=observer)
    delta = GraphDelta(sender, observer=observer)
    directory = GraphDirectory(sender, observer=observer)
    calls: dict[str, Callable[[], Awaitable[object]]] = {
        "fetch_message": lambda: mailboxes.fetch_message(mailbox, MessageId(item)),
        "fetch_event": lambda: mailboxes.fetch_event(owner, EventId(item)),
        "start_inbox": lambda: delta.start_inbox(mailbox, received_since=_WHEN),
        "list_messages": lambda: delta.list_messages(mailbox, received_since=_WHEN),
        "start_calendar": lambda: delta.start_calendar(owner, start=_WHEN, end=_WHEN),
        "find_person": lambda: directory.find_person(item),
        "fetch_delegates": lambda: directory.fetch_delegates(MailboxKey(owner)),
        "fetch_delivery_option": lambda: directory.fetch_delivery_option(MailboxKey(owner)),
        "list_subscriptions": lambda: GraphSubscriptions(sender).list_subscriptions(),
        "create_subscription": lambda: GraphSubscriptions(sender).create_subscription(_SPEC),
    }
    return calls[case.request["call"]]()


_SPEC = SubscriptionSpec(
    resource="users/alex/events",
    change_type="updated",
    notification_url="https://sync.example/graph/notifications",
    lifecycle_url="https://sync.example/graph/lifecycle",
    client_state="state",
    expires_at=_WHEN,
)


def _write_expected(name: str) -> None:
    case = load_case(name)
    outcome = asyncio.run(run_case(case))
    case.expected_file.write_text(json.dumps(outcome, indent=2, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    for argument in sys.argv[1:]:
        _write_expected(argument)
