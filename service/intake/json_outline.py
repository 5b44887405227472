"""The shape of a JSON text, before anything of it is decoded: how much it holds, how deep it goes. Pure.

Whatever the text consists of, this takes some nanoseconds per byte and makes no object per value, so that a
body can be refused before it costs anything. Must never raise, or look at what a value says.
"""

from __future__ import annotations

from typing import Final

_TO_SQUARE: Final = bytes.maketrans(b"{}", b"[]")
_NOT_KEPT: Final = bytes(set(range(256)) - set(b',"[]{}'))


def draw_outline(text: bytes, *, marks_max: int) -> bytes | None:
    r"""Give only the commas, quotes and brackets (curly ones as square ones); None where there are too many.

    Escaped quotes are left out, because they end no string. A backslash is either itself escaped or escapes
    what follows, so taking out all pairs of them first leaves the others next to what they escape.

    Args:
        marks_max: of commas, quotes and brackets; and of backslashes, which are counted apart.
    """
    if b"\\" in text:
        if text.count(b"\\") > marks_max:
            return None
        text = text.replace(rb"\\", b"").replace(rb"\"", b"")
    outline = text.translate(_TO_SQUARE, _NOT_KEPT)
    return outline if len(outline) <= marks_max else None


def is_deeper(outline: bytes, depth_max: int) -> bool:
    """Tell whether brackets are nested deeper than allowed; those within strings do not count.

    A string that does not end reaches to the end of the text. Brackets without a partner count as nested;
    such a text is no JSON anyway.
    """
    if outline.count(b"[") <= depth_max:
        return False
    brackets = outline.replace(b",", b"").replace(b'""', b"")
    if b'"' in brackets:
        brackets = b"".join(brackets.split(b'"')[::2])
    too_deep = b"[" * (depth_max + 1)
    for _ in range(depth_max):
        if not brackets or too_deep in brackets:
            break
        brackets = brackets.replace(b"[]", b"")
    return bool(brackets)
