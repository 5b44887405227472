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
    return GraphSubscription(
        id=node["id"].require_text(),
        resource=node["resource"].require_text(),
        change_type=node["changeType"].text() or "",
        notification_url=node["notificationUrl"].text() or "",
        lifecycle_url=node["lifecycleNotificationUrl"].text() or "",
        expires_at=node["expirationDateTime"].require_instant().to_datetime(),
        certificate_id=node["encryptionCertificateId"].text() or "",
    )
