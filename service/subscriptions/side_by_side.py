"""What we hold beside what Graph holds, line by line: `subscriptions list`. Pure; judges nothing."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from service.intake.client_state import parse_resource_path
from service.ports import GraphSubscription
from service.subscriptions.resources import name_resource
from service.subscriptions.status import KeeperStatus, ResourceStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class SubscriptionLine:
    """One line of the list.

    Attributes:
        status: how the resource stands with us; None where we watch no such resource.
        in_graph: what Graph holds; None where it holds none of ours for the resource.
        is_ours: made by this deployment; True where Graph holds nothing.
        is_held: our records name exactly this one.
    """

    status: ResourceStatus | None
    in_graph: GraphSubscription | None
    is_ours: bool
    is_held: bool


def list_side_by_side(
    status: KeeperStatus,
    in_graph: Iterable[GraphSubscription],
    *,
    is_ours: Callable[[GraphSubscription], bool],
) -> tuple[SubscriptionLine, ...]:
    """Put both together: our resources in order, each with all of ours in Graph, then what else there is.

    A resource has a line of its own where Graph does not hold what our records name.
    """
    ours: dict[str, list[GraphSubscription]] = defaultdict(list)
    others: list[SubscriptionLine] = []
    watched = {one.name for one in status.resources}
    for subscription in sorted(in_graph, key=lambda one: (one.resource, one.id)):
        resource = parse_resource_path(subscription.resource)
        name = name_resource(resource) if resource else ""
        if is_ours(subscription) and name in watched:
            ours[name].append(subscription)
        else:
            others.append(_build_line(None, subscription, is_ours=is_ours(subscription)))
    lines: list[SubscriptionLine] = []
    for one in status.resources:
        beside = [_build_line(one, subscription, is_ours=True) for subscription in ours.get(one.name, ())]
        if not any(line.is_held for line in beside):
            lines.append(_build_line(one, None, is_ours=True))
        lines += beside
    return (*lines, *others)


def _build_line(
    status: ResourceStatus | None, in_graph: GraphSubscription | None, *, is_ours: bool
) -> SubscriptionLine:
    is_held = status is not None and in_graph is not None and status.subscription_id == in_graph.id
    return SubscriptionLine(status=status, in_graph=in_graph, is_ours=is_ours, is_held=is_held)
