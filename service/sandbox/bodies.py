"""Bodies of mails and events: HTML as Exchange stores it, and the plain preview of it. Text only."""

from __future__ import annotations

from html import escape, unescape
from re import sub
from typing import Final

PREVIEW_MAX: Final = 255
_PAGE: Final = (
    '<html>\r\n<head>\r\n<meta http-equiv="Content-Type" content="text/html; charset=utf-8">\r\n'
    '<meta content="text/html; charset=us-ascii">\r\n</head>\r\n<body>\r\n{}\r\n</body>\r\n</html>\r\n'
)


def as_page(text: str) -> str:
    """Give a fragment of HTML as the page that Exchange stores; a page stays as it is."""
    return text if "<html" in text.lower() else _PAGE.replace("{}", text)


def comment_page(comment: str) -> str:
    """Give a comment, plain text, as the body of a message."""
    return as_page(escape(comment, quote=False))


def preview(content: str, kind: str) -> str:
    """Give the bodyPreview of a body: plain text, at most 255 characters."""
    plain = content
    if kind.lower() == "html":
        plain = unescape(sub(r"(?is)<(head|style|script)\b.*?</\1>|<[^>]*>", "", content))
    return plain.strip()[:PREVIEW_MAX]
