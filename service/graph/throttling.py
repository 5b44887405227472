"""What is known of Graph's limits: who has to wait, who goes apart, what is spent. Must never wait itself.

A request that Graph would refuse is not sent: requests made while throttled keep counting.

Source: https://learn.microsoft.com/graph/throttling and https://learn.microsoft.com/graph/throttling-limits
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Final

from service.clock import Clock
from service.errors import HeldBackError, ServiceError, ThrottledError

MAILBOX_SPAN_S: Final = 600.0
"""Graph counts the requests of one application to one mailbox over ten minutes: 10,000 of them."""
APPLICATION_SPAN_S: Final = 10.0
"""Graph allows an application 2,000 requests in a second; ours are counted over ten of them."""
_SLICES: Final = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class ThrottlingLimits:
    """Bounds of what one process asks of Graph.

    Attributes:
        mailbox_requests_max: requests to one mailbox in 10 minutes, parts of a `$batch` counting one each.
        application_requests_max: requests to all mailboxes in 10 seconds.
        slow_s: a mailbox that takes longer goes apart until it answers in time.
    """

    mailbox_requests_max: int = 4_000
    application_requests_max: int = 10_000
    slow_s: float = 5


class Budget:
    """Requests of a span of time up to now. Holds at most sixty numbers.

    Args:
        requests_max: in any span of that length.
        span_s: its length, in seconds.
    """

    def __init__(self, *, requests_max: int, span_s: float) -> None:
        self._requests_max = requests_max
        self._span_s = span_s
        self._slice_s = span_s / _SLICES
        self._spent: deque[list[int]] = deque()
        self._total = 0

    def wait_s(self, now: float) -> float:
        """Give the seconds until a request may go; 0 where it may go now."""
        self._forget(now)
        return 0.0 if self._total < self._requests_max else self._end_of_oldest() - now

    def spend(self, now: float) -> None:
        """Count one request."""
        at = int(now // self._slice_s)
        if self._spent and self._spent[-1][0] == at:
            self._spent[-1][1] += 1
        else:
            self._spent.append([at, 1])
        self._total += 1

    def is_idle(self, now: float) -> bool:
        """Tell whether nothing was spent in the span up to now."""
        self._forget(now)
        return not self._total

    def _forget(self, now: float) -> None:
        while self._spent and self._end_of_oldest() <= now:
            self._total -= self._spent.popleft()[1]

    def _end_of_oldest(self) -> float:
        """Give when the oldest slice counts no more: its last moment has left the span."""
        return (self._spent[0][0] + 1) * self._slice_s + self._span_s


@dataclass(slots=True)
class _Mailbox:
    budget: Budget
    closed_until: float = field(default=float("-inf"))
    is_apart: bool = False


class Throttling:
    """Remembers what Graph asked for and what was spent, per mailbox and for the application.

    Requests that concern no mailbox, such as those about subscriptions, count for the application alone.
    """

    def __init__(self, clock: Clock, limits: ThrottlingLimits) -> None:
        self._clock = clock
        self._limits = limits
        self._application = Budget(requests_max=limits.application_requests_max, span_s=APPLICATION_SPAN_S)
        self._mailboxes: dict[str, _Mailbox] = {}
        self._tidy_at = float("-inf")

    def __len__(self) -> int:
        """Tell how many mailboxes are remembered."""
        return len(self._mailboxes)

    def admit(self, mailbox: str) -> None:
        """Count a request that is about to go.

        Raises:
            HeldBackError: it must not go yet, and is not counted.
        """
        now = self._clock.monotonic()
        _hold_back("applicationBudget", self._application.wait_s(now))
        if mailbox:
            known = self._know(mailbox, now)
            _hold_back("mailboxThrottled", known.closed_until - now)
            _hold_back("mailboxBudget", known.budget.wait_s(now))
            known.budget.spend(now)
        self._application.spend(now)

    def is_apart(self, mailbox: str) -> bool:
        """Tell whether a mailbox shares no `$batch` with others, so that none waits because of it."""
        known = self._mailboxes.get(mailbox)
        return known is not None and known.is_apart

    def note(
        self, mailbox: str, refusal: ServiceError | None, *, duration_s: float, is_shared: bool = False
    ) -> None:
        """Learn from an answer, or from what came in its place.

        Args:
            refusal: None for a good answer.
            is_shared: a `$batch` of several mailboxes was refused as a whole, because of nobody knows which.
        """
        if not mailbox:
            return
        now = self._clock.monotonic()
        known = self._know(mailbox, now)
        is_throttled = isinstance(refusal, ThrottledError)
        known.is_apart = is_throttled or duration_s > self._limits.slow_s
        if isinstance(refusal, ThrottledError) and not is_shared and refusal.retry_after_s is not None:
            known.closed_until = max(known.closed_until, now + refusal.retry_after_s)

    def _know(self, mailbox: str, now: float) -> _Mailbox:
        if now >= self._tidy_at:
            self._tidy(now)
        known = self._mailboxes.get(mailbox)
        if known is None:
            budget = Budget(requests_max=self._limits.mailbox_requests_max, span_s=MAILBOX_SPAN_S)
            known = self._mailboxes[mailbox] = _Mailbox(budget)
        return known

    def _tidy(self, now: float) -> None:
        """Forget mailboxes of which nothing is to be remembered, so that former ones do not add up."""
        self._tidy_at = now + MAILBOX_SPAN_S
        for name, known in list(self._mailboxes.items()):
            if known.budget.is_idle(now) and known.closed_until <= now:
                del self._mailboxes[name]


def _hold_back(code: str, wait_s: float) -> None:
    if wait_s > 0:
        raise HeldBackError(f"held back for {wait_s:.1f} s", code=code, retry_after_s=wait_s)
