"""A subscription as Graph holds it, as a value. No I/O.

Source: https://learn.microsoft.com/graph/api/resources/subscription
"""

from __future__ import annotations

from service.graph.node import Node
from service.ports import GraphSubscription


def parse_subscription(node: Node) -> GraphSubscription:
    """Read a subscription; secrets are not given back, and members we do not know are no fault.

    Raises:
        PayloadError: id, resource or end are missing.
    """
    expires_at = node["expirationDateTime"].instant()
    if expires_at is None:
        raise node["expirationDateTime"].fail("an instant")
    return GraphSubscription(
        id=_require_text(node["id"]),
        resource=_require_text(node["resource"]),
        change_type=node["changeType"].text() or "",
        notification_url=node["notificationUrl"].text() or "",
        lifecycle_url=node["lifecycleNotificationUrl"].text() or "",
        expires_at=expires_at.to_datetime(),
        certificate_id=node["encryptionCertificateId"].text() or "",
    )


def _require_text(node: Node) -> str:
    text = node.text()
    if text is None:
        raise node.fail("text")
    return text
