"""Every error of the service, in one tree. An error is named for what the caller should do about it.

ServiceError
  ConfigError                  start-up only; lists every fault at once; exit code 2
  CommandError                 a command cannot do what was asked; the message says why
  NotificationError            a notification we refuse: malformed, or its client state is not ours
    ForgedError                no good validation token vouches for it: nothing of it is processed
  GraphError                   Graph refused; carries status, code, request id
    ThrottledError             429, or 503 with Retry-After: carries retry_after_s
      HeldBackError            we did not even ask: the mailbox has to wait, or its budget is spent
    UnavailableError           5xx, timeout, broken connection
    AccessError                401 or 403 although the token is fresh
    GoneError                  404: the item was moved or deleted, or the mailbox is not there
    ConflictError              409: the subscription exists already
    RefusedError               any other 4xx: asking again will not help
    DeltaExpiredError          start the delta query again
    PayloadError               an answer that we cannot read; keeps the field's path, not its content
  LookedTooSoonError           the answer is of the same second as what it would end: look again
  UntalliedError               a meeting whose answers Exchange does not tally: ignore it
  TokenError                   no access token was to be had; carries the remedy
    SignInError                a person has to sign in, or to sign in again, before their mailbox can be read
  SealError                    what is kept under a seal cannot be opened with any key that we have
  SigningKeysError             whether a notification is genuine cannot be told now; carries how long to wait
  StreamError                  Redis refused or is away
    ConflictingVersionError    somebody committed first: join again
    GenerationMissingError     the state was lost; the keeper must start a new generation
    OwnerForgottenError        the owner was taken off the roster meanwhile; nothing of theirs is written
    FencedError                another holds the lease by now: stop writing
    LayoutError                the keys were written with another layout or number of partitions: do not start
"""

from __future__ import annotations

from collections.abc import Sequence


class ServiceError(Exception):
    """The root of all errors that the service raises on purpose."""


class ConfigError(ServiceError):
    """The settings cannot be used.

    Attributes:
        faults: one sentence per faulty setting, each naming the setting and what to do.
    """

    def __init__(self, faults: Sequence[str]) -> None:
        self.faults = tuple(faults)
        super().__init__("; ".join(self.faults))


class CommandError(ServiceError):
    """A command cannot do what was asked: what it names is not there, or a step of it failed."""


class NotificationError(ServiceError):
    """A notification, or one item of it, is refused.

    Attributes:
        reason: one of a closed list of words, fit for a metric label.
    """

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


class ForgedError(NotificationError):
    """A notification that somebody else than Graph sent; nothing of it may be processed."""


class GraphError(ServiceError):
    """Graph answered with an error, or did not answer.

    Attributes:
        status: HTTP status; 0 where there was no answer.
        code: Graph's `error.code`, or a word of ours where the body was not Graph's.
        request_id: Graph's request id, empty where there was none.

    Source: https://learn.microsoft.com/graph/errors
    """

    def __init__(self, message: str, *, status: int = 0, code: str = "", request_id: str = "") -> None:
        self.status = status
        self.code = code
        self.request_id = request_id
        super().__init__(message)


class ThrottledError(GraphError):
    """Graph asks us to wait.

    Attributes:
        retry_after_s: seconds that Graph asked for; None where it named no time.

    Source: https://learn.microsoft.com/graph/throttling
    """

    def __init__(
        self,
        message: str,
        *,
        retry_after_s: float | None = None,
        status: int = 429,
        code: str = "",
        request_id: str = "",
    ) -> None:
        self.retry_after_s = retry_after_s
        super().__init__(message, status=status, code=code, request_id=request_id)


class HeldBackError(ThrottledError):
    """A request was not sent, because Graph would refuse it: it is no try.

    `retry_after_s` says when it may go; `code` is `mailboxThrottled`, `mailboxBudget` or `applicationBudget`.
    """


class UnavailableError(GraphError):
    """Graph is away for now: 5xx, a timeout, a broken connection."""


class AccessError(GraphError):
    """Access is refused although the token is fresh: consent, an access policy, a scope."""


class GoneError(GraphError):
    """What was asked for is not there: moved, deleted, or a mailbox that does not exist."""


class ConflictError(GraphError):
    """The subscription that was asked for exists already."""


class RefusedError(GraphError):
    """Graph understood and refused; asking again in the same words will not help."""


class DeltaExpiredError(GraphError):
    """The delta token is no longer known: start the delta query from the beginning."""


class PayloadError(GraphError):
    """An answer that we cannot read.

    Attributes:
        path: where in the payload, such as `attendees[2].status.time`; never its content.
    """

    def __init__(self, path: str, expected: str, *, request_id: str = "") -> None:
        self.path = path
        super().__init__(f"{path}: expected {expected}", code="unreadable", request_id=request_id)


class LookedTooSoonError(ServiceError):
    """An event was not found in the very second in which it was last seen; the `Date` cannot tell which
    came first, so the look must be repeated a second later.

    Source: https://www.rfc-editor.org/rfc/rfc9110#name-date
    """


class UntalliedError(ServiceError):
    """A meeting lies in a calendar whose answers Exchange does not write onto events, so it is ignored.

    Source: https://learn.microsoft.com/graph/api/resources/calendar
    """


class TokenError(ServiceError):
    """No access token was to be had.

    Attributes:
        code: the OAuth error or AADSTS code; empty where the authority did not answer.
        remedy: one sentence that tells the operator what to do.
        is_permanent: True where waiting will not help (wrong secret, tenant or consent).
        needs_sign_in: a person's grant is no longer taken: that person has to sign in again.
    """

    def __init__(
        self,
        message: str,
        *,
        code: str = "",
        remedy: str = "",
        is_permanent: bool = False,
        needs_sign_in: bool = False,
    ) -> None:
        self.code = code
        self.remedy = remedy
        self.is_permanent = is_permanent
        self.needs_sign_in = needs_sign_in
        super().__init__(message)


class SignInError(TokenError):
    """A person has to sign in, or to sign in again, before their mailbox can be read."""


class SealError(ServiceError):
    """What is kept under a seal cannot be opened with any key that we have."""

    def __init__(self) -> None:
        super().__init__("no key of ours opens the seal")


class SigningKeysError(ServiceError):
    """The authority's signing keys are not to be had now, so a validation token cannot be judged.

    Attributes:
        retry_after_s: when they may be asked for again; None where that is not known.
    """

    def __init__(self, message: str, *, retry_after_s: float | None = None) -> None:
        self.retry_after_s = retry_after_s
        super().__init__(message)


class StreamError(ServiceError):
    """Redis refused, or is away."""


class ConflictingVersionError(StreamError):
    """The state of the meeting changed since it was read: read it and join again."""


class GenerationMissingError(StreamError):
    """The generation key is missing: the state was lost, and nothing may be committed."""


class OwnerForgottenError(StreamError):
    """The owner was taken off the roster while something of theirs was being done: nothing is written."""


class FencedError(StreamError):
    """Another holds the lease by now: stop, and write nothing more under the old number."""


class LayoutError(StreamError):
    """The keys were written with another layout or another `PARTITIONS`: do not start; carries the remedy."""
