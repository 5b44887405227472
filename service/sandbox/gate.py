"""What every request to Graph passes before its handler: faults, access policies, limits. No I/O.

Must never hold a request back: it is refused or let through.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Final

from service.sandbox.faults import FaultBoard
from service.sandbox.people import Directory
from service.sandbox.registration import Application
from service.sandbox.wire import GraphFault, GraphRequest, GraphResponse, SandboxClock

WINDOW: Final = timedelta(minutes=10)
REQUESTS_MAX: Final = 10_000
IN_FLIGHT_MAX: Final = 4


class Gate:
    """Goes before the router.

    Source of the limits: https://learn.microsoft.com/graph/throttling-limits#outlook-service-limits
    """

    def __init__(
        self,
        *,
        clock: SandboxClock,
        directory: Directory,
        application: Application,
        faults: FaultBoard,
        requests_max: int = REQUESTS_MAX,
        in_flight_max: int = IN_FLIGHT_MAX,
    ) -> None:
        self._clock = clock
        self._directory = directory
        self._application = application
        self._faults = faults
        self._requests_max = requests_max
        self._in_flight_max = in_flight_max
        self._counts: dict[tuple[str, str], tuple[datetime, int]] = {}
        self._in_flight: dict[tuple[str, str], int] = {}

    async def check(self, request: GraphRequest) -> GraphResponse | None:
        """Refuse a request, or let it pass by giving None.

        Raises:
            GraphFault: 401, 403, 429 or 503.
        """
        self._faults.disturb_request(request)
        mailbox = self._find_mailbox(request)
        if mailbox is not None:
            self._count(request.caller.app_id, mailbox)
            if request.caller.user_id is None and mailbox in self._application.denied_mailboxes:
                raise GraphFault(403, "ErrorAccessDenied", "Access to OData is disabled.")
        return None

    @contextmanager
    def occupy(self, request: GraphRequest) -> Iterator[bool]:
        """Count a request as in flight; gives False where its mailbox has too many already."""
        mailbox = self._find_mailbox(request)
        if mailbox is None:
            yield True
            return
        key = (request.caller.app_id, mailbox)
        held = self._in_flight.get(key, 0)
        self._in_flight[key] = held + 1
        try:
            yield held < self._in_flight_max
        finally:
            self._in_flight[key] -= 1
            if not self._in_flight[key]:
                del self._in_flight[key]

    def _find_mailbox(self, request: GraphRequest) -> str | None:
        """Give the object id of the mailbox that a path names; None where it names none."""
        first = request.segments[0].lower() if request.segments else ""
        if first == "me":
            return request.caller.user_id
        if first != "users" or len(request.segments) < 3:
            return None
        user = self._directory.look_up(request.segments[1])
        return None if user is None else user.id

    def _count(self, app_id: str, mailbox: str) -> None:
        """Count a request against the limit of its application and mailbox."""
        now = self._clock.now()
        began, held = self._counts.get((app_id, mailbox), (now, 0))
        if now - began >= WINDOW:
            began, held = now, 0
        self._counts[app_id, mailbox] = (began, held + 1)
        if held >= self._requests_max:
            wait_s = max(1, round((began + WINDOW - now).total_seconds()))
            raise GraphFault(
                429,
                "ApplicationThrottled",
                "Application is over its Request limit.",
                headers={"Retry-After": str(wait_s)},
            )


def build_concurrency_fault() -> GraphFault:
    """Give the refusal of a fifth request to one mailbox at one time."""
    return GraphFault(
        429,
        "ApplicationThrottled",
        "Application is over its MailboxConcurrency limit.",
        headers={"Retry-After": "1"},
    )
