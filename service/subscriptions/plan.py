"""Which subscriptions to adopt, create, renew, recreate or delete. Pure; must never ask Graph or the clock.

The law: carried out until nothing is left to do, every wanted resource has exactly one good subscription,
and no subscription that is not ours was touched.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from service.intake.client_state import WatchedResource, parse_resource_path
from service.ports import GraphSubscription
from service.subscriptions.resource_data import is_same_query

_UNIT: Final = 2.0**64


@dataclass(frozen=True, slots=True, kw_only=True)
class WantedSubscription:
    """A subscription as it has to be, all but its end.

    Attributes:
        name: of the resource, as `resources.name_resource` gives it.
        path: Graph's path of the resource, with its query where there is one.
        lesser_queries: which are good as well: Graph refused the fuller ones.
        change_type: Graph's comma-separated list; compared as a set.
        client_state_tag: a digest of the client state; tells whether SECRET_KEY changed.
        certificate, certificate_id: for encryption; empty for notifications without resource data.
    """

    name: str
    resource: WatchedResource
    path: str
    change_type: str
    notification_url: str
    lifecycle_url: str
    client_state_tag: str
    certificate: str = ""
    certificate_id: str = ""
    lesser_queries: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldSubscription:
    """What we wrote down about a subscription when we last heard of it.

    Attributes:
        expires_at: as Graph granted it.
        lifetime_s: what Graph granted, from the moment of asking; at least 1.
    """

    id: str
    expires_at: datetime
    lifetime_s: float
    client_state_tag: str
    certificate_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Margins:
    """How long before its end a subscription is renewed.

    Attributes:
        fraction: of the lifetime that is always left.
        floor_s: at least so much is left, but never more than half the lifetime.
        jitter_fraction: of the lifetime over which renewals are spread, each resource in its own place.
    """

    fraction: float = 0.3
    floor_s: float = 3600.0
    jitter_fraction: float = 0.15


@dataclass(frozen=True, slots=True, kw_only=True)
class Adopt:
    """Graph holds a good one that our records do not have: write it down."""

    wanted: WantedSubscription
    subscription: GraphSubscription


@dataclass(frozen=True, slots=True, kw_only=True)
class Create:
    """There is none."""

    wanted: WantedSubscription


@dataclass(frozen=True, slots=True, kw_only=True)
class Renew:
    """The good one nears its end, or has to be moved to another certificate."""

    wanted: WantedSubscription
    subscription_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Recreate:
    """All that we have for the resource is wrong.

    Attributes:
        replaces: ids of ours to be deleted; at least one.
    """

    wanted: WantedSubscription
    replaces: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Delete:
    """One of ours that nobody wants, or a second one for the same resource.

    Attributes:
        name: of the resource; empty where nobody wants it.
    """

    subscription_id: str
    name: str = ""


Action = Adopt | Create | Renew | Recreate | Delete


def plan_subscriptions(
    wanted: Iterable[WantedSubscription],
    held: Mapping[str, HeldSubscription],
    in_graph: Iterable[GraphSubscription],
    *,
    is_ours: Callable[[GraphSubscription], bool],
    now: datetime,
    margins: Margins,
) -> tuple[Action, ...]:
    """Compare all that is wanted with our records and with what Graph holds.

    Args:
        held: our records, by the resource's name.
        in_graph: everything that the application holds in the tenant, whoever made it.
        is_ours: tells our deployment's subscriptions; others are never touched.

    Returns:
        Actions in the order of `wanted`, then deletions; empty once everything is as it should be.
    """
    ours: dict[WatchedResource | None, list[GraphSubscription]] = defaultdict(list)
    for subscription in in_graph:
        if is_ours(subscription):
            ours[parse_resource_path(subscription.resource)].append(subscription)
    actions: list[Action] = []
    for one in wanted:
        candidates = ours.pop(one.resource, [])
        actions += plan_resource(one, held.get(one.name), candidates, now=now, margins=margins)
    unwanted = sorted(subscription.id for rest in ours.values() for subscription in rest)
    return (*actions, *(Delete(subscription_id=id_) for id_ in unwanted))


def plan_resource(
    wanted: WantedSubscription,
    held: HeldSubscription | None,
    candidates: Iterable[GraphSubscription],
    *,
    now: datetime,
    margins: Margins,
) -> tuple[Action, ...]:
    """Decide about one resource.

    Args:
        candidates: ours in Graph for this resource, good or not.
    """
    present = sorted(candidates, key=lambda one: one.id)
    chosen = choose_good(wanted, held, present, now=now)
    if chosen is None:
        replaces = tuple(one.id for one in present)
        return (Recreate(wanted=wanted, replaces=replaces) if replaces else Create(wanted=wanted),)
    actions: list[Action] = []
    if held is None or held.id != chosen.id or held.expires_at != chosen.expires_at:
        actions.append(Adopt(wanted=wanted, subscription=chosen))
    lifetime_s = (
        held.lifetime_s if held and held.id == chosen.id else (chosen.expires_at - now).total_seconds()
    )
    certificate_id = chosen.certificate_id or (held.certificate_id if held and held.id == chosen.id else "")
    is_moved = certificate_id != wanted.certificate_id
    if is_moved or reckon_renewal(wanted.name, chosen.expires_at, lifetime_s, margins) <= now:
        actions.append(Renew(wanted=wanted, subscription_id=chosen.id))
    return (
        *actions,
        *(Delete(subscription_id=one.id, name=wanted.name) for one in present if one is not chosen),
    )


def choose_good(
    wanted: WantedSubscription,
    held: HeldSubscription | None,
    candidates: Iterable[GraphSubscription],
    *,
    now: datetime,
) -> GraphSubscription | None:
    """Give the one to keep: the one we know, else the one that lives longest; None where none is good."""
    good = [one for one in candidates if one.expires_at > now and is_good(wanted, held, one)]
    known = held.id if held is not None else ""
    return max(good, key=lambda one: (one.id == known, one.expires_at, one.id), default=None)


def is_good(
    wanted: WantedSubscription, held: HeldSubscription | None, subscription: GraphSubscription
) -> bool:
    """Tell whether a subscription of ours says what it has to say.

    Graph gives back neither the client state nor, at times, the certificate's id: there our record counts.
    """
    known = held if held is not None and held.id == subscription.id else None
    certificate_id = subscription.certificate_id or (known.certificate_id if known else "")
    return (
        parse_resource_path(subscription.resource) == wanted.resource
        and _has_good_query(wanted, subscription)
        and split_change_type(subscription.change_type) == split_change_type(wanted.change_type)
        and subscription.notification_url == wanted.notification_url
        and subscription.lifecycle_url == wanted.lifecycle_url
        and is_fit_certificate(certificate_id, wanted.certificate_id)
        and (known is None or known.client_state_tag == wanted.client_state_tag)
    )


def is_fit_certificate(present: str, wanted: str) -> bool:
    """Tell whether a subscription has the certificate that it needs, or can be moved to it by a renewal.

    Resource data can neither be added nor taken away later.

    Source: https://learn.microsoft.com/graph/api/subscription-update
    """
    return present == wanted or bool(present and wanted)


def _has_good_query(wanted: WantedSubscription, subscription: GraphSubscription) -> bool:
    query = subscription.resource.partition("?")[2]
    good = (wanted.path.partition("?")[2], *wanted.lesser_queries)
    return any(is_same_query(query, one) for one in good)


def reckon_renewal(name: str, expires_at: datetime, lifetime_s: float, margins: Margins) -> datetime:
    """Give the moment from which a subscription is due for renewal.

    Each resource has its own place in the jitter, so that subscriptions made together part ways.
    """
    margin_s = max(lifetime_s * margins.fraction, min(margins.floor_s, lifetime_s / 2))
    early_s = spread(name) * lifetime_s * margins.jitter_fraction
    return expires_at - timedelta(seconds=margin_s + early_s)


def spread(name: str) -> float:
    """Give a number in [0, 1) that is always the same for a name."""
    return int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest()) / _UNIT


def split_change_type(change_type: str) -> frozenset[str]:
    """Give Graph's comma-separated change types as a set."""
    return frozenset(part.strip().casefold() for part in change_type.split(",") if part.strip())
