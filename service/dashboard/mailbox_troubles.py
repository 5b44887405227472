"""What is wrong with mailboxes, their subscriptions and sign-ins, in words with a remedy. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from service.dashboard.trouble import Trouble, fault, warning
from service.sign_ins.record import SignInState
from service.subscriptions.status import KeeperStatus, ResourceStatus

NAMED_MAX: Final = 5
_REQUEST_ID: Final = re.compile(r" [0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b")
"""What Graph calls a request by: no two faults would be alike with it."""


def judge_sign_ins(status: KeeperStatus) -> Iterator[Trouble]:
    """Say who has to sign in again, now or soon."""
    for one in status.sign_ins:
        if one.state is SignInState.GOOD:
            continue
        found, _, remedy = one.words.partition(": ")
        tell = fault if one.state is SignInState.ENDED else warning
        yield tell("Sign-ins", f"{found}.", f"{remedy[:1].upper()}{remedy[1:]}", "ResponseSyncSignInEnding")


def _judge_faulty(status: KeeperStatus) -> Iterator[Trouble]:
    """Say once what is the same of many: a consent that is missing may stop thousands of mailboxes."""
    same: dict[str, list[tuple[str, str, str]]] = {}

    def say(name: str, served: str, words: str) -> None:
        same.setdefault(_REQUEST_ID.sub("", words), []).append((name, served, words))

    for owner in status.owners:
        if owner.fault:
            say(owner.name or owner.roster_address, "", owner.fault)
    faulty: dict[tuple[str, str], list[tuple[ResourceStatus, str]]] = {}
    for one in status.resources:
        for words in one.faults:
            faulty.setdefault((one.mailbox, _REQUEST_ID.sub("", words)), []).append((one, words))
    for found in faulty.values():  # inbox and calendar of one mailbox often say the same
        resources = [one for one, _ in found]
        say(_name(*resources), _name_served(*resources), found[0][1])
    for common, told in same.items():
        if len(told) == 1:
            ((name, served, words),) = told
            yield _of_mailbox(name + served, words)
        else:
            yield _of_mailbox(_few([name for name, _, _ in told]), common)


def judge_mailboxes(status: KeeperStatus, *, stale_s: float) -> Iterator[Trouble]:
    """Say what keeps mailboxes from being watched.

    Args:
        stale_s: a mailbox that was not complete for so long is too old.
    """
    yield from _judge_faulty(status)
    silent = [one for one in status.resources if one.is_silent and not one.is_on_trial]
    if silent:
        yield warning(
            "Subscriptions",
            f"Notifications stay away although things change: {_list(silent)}.",
            "The keeper makes them anew; if it stays so, check PUBLIC_URL with `response-sync check`.",
            "ResponseSyncMailboxSilent",
        )
    on_trial = [one for one in status.resources if one.is_on_trial]
    if on_trial:
        yield warning(
            "Subscriptions",
            f"Made anew because notifications stayed away, and none has come since: {_list(on_trial)}.",
            "Nothing to do: the next notification ends this line (a mail sent to that inbox brings one).",
            "ResponseSyncMailboxSilent",
        )
    watchable = [
        one for one in status.resources if one.is_watchable and not one.faults and one.deleted_at is None
    ]
    missing = [one for one in watchable if one.left_s <= 0]
    if missing:
        yield warning(
            "Subscriptions",
            f"Not subscribed: {_list(missing)}.",
            "Wait a minute after a start; else `response-sync subscriptions recreate` and the keeper's log.",
            "ResponseSyncSubscriptionMissing",
        )
    stale = [one for one in watchable if (one.staleness_s or 0) > stale_s]
    if stale:
        yield warning(
            "Mailboxes",
            f"Not read for more than two sweeps: {_list(stale)}.",
            "Look at the keeper's log; `response-sync resync` reads everything now.",
            "ResponseSyncMailboxStale",
        )


def _of_mailbox(subject: str, words: str) -> Trouble:
    """Split what the keeper says at its first colon or stop: what is wrong, then what to do."""
    found, _, remedy = words.partition(": ")
    if not remedy:
        found, _, remedy = words.partition(". ")
    remedy = remedy or "`response-sync check` looks at it again and says more."
    return fault(subject, found.rstrip("."), remedy[:1].upper() + remedy[1:], "ResponseSyncMailboxFaulty")


def _name(*resources: ResourceStatus) -> str:
    """Name what is read of one mailbox."""
    kinds = dict.fromkeys(one.name.partition("/")[0] for one in resources)
    return f"{' and '.join(kinds)} of {resources[0].mailbox}"


def _name_served(*resources: ResourceStatus) -> str:
    """Say for whom a mailbox is read, where that is somebody else; else nothing."""
    mailbox = resources[0].mailbox
    others = dict.fromkeys(owner for one in resources for owner in one.owners if owner != mailbox)
    return f" (read for {_few(list(others))})" if others else ""


def _list(resources: Iterable[ResourceStatus]) -> str:
    return _few([_name(one) for one in resources])


def _few(names: Sequence[str]) -> str:
    more = f" and {len(names) - NAMED_MAX} more" if len(names) > NAMED_MAX else ""
    return ", ".join(names[:NAMED_MAX]) + more
