"""The options of a subscription's resource, as the mailbox understands them: select, expand, filter. No I/O.

Must never let an option pass that the delivery could not carry out later.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from service.sandbox import event_reader, message_reader
from service.sandbox.filters import parse_filter
from service.sandbox.odata import parse_expand, parse_property_filter
from service.sandbox.schema import members_of
from service.sandbox.subscription_resource import ResourcePath, refuse_operation
from service.sandbox.wire import GraphFault

EXTENDED = "singleValueExtendedProperties"
Test = Callable[[Any], bool]


def spell_select(path: ResourcePath) -> tuple[str, ...]:
    """Give the selected names as Graph spells them; members of a derived type are none of them.

    Raises:
        GraphFault: 400 for a name that the type does not have.
    """
    known = {name.lower(): name for name in members_of(path.kind)}
    for name in path.select:
        if name.lower() not in known:
            raise refuse_operation("Create", 400, f"Could not find a property named '{name[:64]}'.")
    return tuple(known[name.lower()] for name in path.select)


def read_expand(path: ResourcePath) -> str:
    """Give the expand option once it is known that it can be carried out; empty where there is none.

    Raises:
        GraphFault: 400.
    """
    text = path.options.get("$expand", "")
    try:
        for expanded in parse_expand(text, (EXTENDED,), path.kind).values():
            parse_property_filter(expanded)
    except GraphFault as fault:
        raise refuse_operation("Create", 400, fault.message) from fault
    return text


def read_filter(path: ResourcePath) -> Test | None:
    """Give what tells whether an item matches the filter; None where there is none.

    Raises:
        GraphFault: 400 for a filter that cannot be read.
    """
    text = path.options.get("$filter")
    if text is None:
        return None
    try:
        if path.kind == "message":
            return parse_filter(text, message_reader.FIELDS, type_name="message").matches
        return parse_filter(text, event_reader.FIELDS, type_name="event").matches
    except GraphFault as fault:
        raise refuse_operation("Create", 400, fault.message) from fault
