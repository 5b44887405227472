"""Why the content of a notification is not taken as it is, and its item fetched instead. A closed list."""

from __future__ import annotations

from enum import StrEnum

from service.errors import ServiceError


class Unread(StrEnum):
    """Why an item is fetched although it was to come along. Closed: each is a label of a metric."""

    NOT_CARRIED = "not_carried"
    TOO_LARGE = "too_large"
    MALFORMED = "malformed"
    NO_TOKENS = "no_tokens"
    TOKENS_GONE = "tokens_gone"
    UNKNOWN_CERTIFICATE = "unknown_certificate"
    KEY_NOT_OPENED = "key_not_opened"
    SIGNATURE_DIFFERS = "signature_differs"
    NOT_DECRYPTED = "not_decrypted"
    NOT_JSON = "not_json"
    OTHER_ITEM = "other_item"
    NOT_PARSED = "not_parsed"
    INCOMPLETE = "incomplete"
    ORDER_UNCLEAR = "order_unclear"

    @property
    def remedy(self) -> str:
        """Say what the operator has to do; empty where there is nothing to be done."""
        return _REMEDIES.get(self, "")


_REMEDIES = {
    Unread.TOO_LARGE: "Raise RESPONSE_SYNC_CONTENT_CHARS_MAX if such items are to be read without a fetch.",
    Unread.NO_TOKENS: (
        "Graph sent no validation tokens: set appRoleAssignmentRequired of the application's service "
        "principal to false, or give the service principal `Microsoft Graph Change Tracking` "
        "(0bf30f3b-4a52-48df-9a82-234910c4a086) a role of the application."
    ),
    Unread.TOKENS_GONE: (
        "The intake stream is further behind than RESPONSE_SYNC_TOKENS_KEPT_S: add workers, or raise it."
    ),
    Unread.UNKNOWN_CERTIFICATE: (
        "The key is not among RESPONSE_SYNC_ENCRYPTION_KEY_FILE of this worker: put it there, "
        "and retire a key only when `response-sync keys list` shows no subscription that names it."
    ),
    Unread.KEY_NOT_OPENED: "Check that the files of RESPONSE_SYNC_ENCRYPTION_KEY_FILE are unchanged.",
}


class UnreadError(ServiceError):
    """The content of a notification cannot be taken: fetch the item.

    Attributes:
        reason: fit for a metric label.
    """

    def __init__(self, reason: Unread) -> None:
        self.reason = reason
        super().__init__(reason.value)
