"""The shape of a JSON text, before anything of it is decoded: how much it holds, how deep it goes. Pure.

Whatever the text consists of, this takes some nanoseconds per byte and makes no object per value, so that a
body can be refused before it costs anything. It is drawn piece by piece while a body arrives, so that nobody
else is held up, and a body that holds too much is refused before the rest of it has come.
Must never raise, or look at what a value says.
"""

from __future__ import annotations

import codecs
from typing import Final

_TO_SQUARE: Final = bytes.maketrans(b"{}", b"[]")
_NOT_KEPT: Final = bytes(set(range(256)) - set(b',:"[]{}'))
_DECODER: Final = codecs.getincrementaldecoder("utf-8")
_SHORT_BYTES: Final = 2048
"""Of so little the outline is not worth drawing unless there is something odd about it."""
_BYTES_PER_MARK: Final = 24
"""Decoding what stands between two marks costs as much as decoding so many bytes of one long string."""


class MeasuredText:
    """A JSON text as it arrives, with its outline; of a short text that is drawn only if somebody asks.

    Attributes:
        text: what has come so far.
    """

    __slots__ = (
        "_backslash",
        "_backslashes",
        "_decoder",
        "_drawn_to",
        "_is_broken",
        "_marks_max",
        "_outline",
        "text",
    )

    def __init__(self, marks_max: int) -> None:
        """Begin with nothing.

        Args:
            marks_max: of commas, colons, quotes and brackets; and of backslashes, which are counted apart.
        """
        self._marks_max = marks_max
        self._backslash = b""
        self._backslashes = 0
        self._decoder: codecs.IncrementalDecoder | None = None
        self._is_broken = False
        self._drawn_to = 0
        self._outline = bytearray()
        self.text = bytearray()

    def add(self, piece: bytes) -> None:
        """Add what came next; a cut may lie anywhere."""
        self.text += piece
        if len(self.text) - self._drawn_to > _SHORT_BYTES:
            self._draw()

    def is_plain(self, depth_max: int) -> bool:
        """Tell of a short text, without drawing its outline, that there is nothing to be found in it.

        It holds little, is all ASCII, and has too few brackets to go deeper than allowed.
        """
        if self._drawn_to:
            return False
        return self.text.isascii() and self.text.count(b"{") + self.text.count(b"[") <= depth_max

    @property
    def outline(self) -> bytearray:
        """Its commas, colons, quotes and brackets alone (curly ones as square ones)."""
        self._draw()
        return self._outline

    @property
    def is_utf8(self) -> bool:
        """Whether what has come is whole characters in UTF-8."""
        self._draw()
        return not self._is_broken and (self._decoder is None or not self._decoder.getstate()[0])

    @property
    def has_too_many_marks(self) -> bool:
        if len(self.text) <= self._marks_max:
            return False
        marks, backslashes = len(self.outline), self._backslashes + len(self._backslash)
        return marks > self._marks_max or backslashes > self._marks_max

    @property
    def weight(self) -> int:
        """How many bytes of one long string would take as long to decode, at most."""
        if not self._drawn_to:
            return _BYTES_PER_MARK * len(self.text)
        return max(len(self.text), _BYTES_PER_MARK * len(self.outline))

    def _draw(self) -> None:
        """Draw what has come since the last time."""
        piece = bytes(self.text[self._drawn_to :])
        self._drawn_to = len(self.text)
        if self._decoder is not None or not piece.isascii():
            self._check_encoding(piece)
        if self._backslash or b"\\" in piece:
            piece = self._take_out_escapes(self._backslash + piece)
        self._outline += piece.translate(_TO_SQUARE, _NOT_KEPT)

    def _check_encoding(self, piece: bytes) -> None:
        """Look whether a piece goes on in UTF-8: whoever decodes a text passes over what nobody asks for."""
        if self._is_broken:
            return
        self._decoder = self._decoder or _DECODER()
        try:
            self._decoder.decode(piece)
        except UnicodeDecodeError:
            self._is_broken = True

    def _take_out_escapes(self, piece: bytes) -> bytes:
        r"""Leave out escaped quotes, because they end no string.

        A backslash is either itself escaped or escapes what follows, so taking out all pairs of them first
        leaves the others next to what they escape. The last of an odd number waits for the next piece.
        """
        if (len(piece) - len(piece.rstrip(b"\\"))) % 2:
            self._backslash, piece = b"\\", piece[:-1]
        else:
            self._backslash = b""
        self._backslashes += piece.count(b"\\")
        return piece.replace(rb"\\", b"").replace(rb"\"", b"")


def measure_text(text: bytes, *, marks_max: int) -> MeasuredText:
    """Measure a text that is there as a whole."""
    measured = MeasuredText(marks_max)
    measured.add(text)
    return measured


def strip_strings(outline: bytes | bytearray) -> bytes:
    """Give the commas, colons and brackets that do not stand in a string.

    A string that does not end reaches to the end of the text.
    """
    outside = bytes(outline).replace(b'""', b"")
    return b"".join(outside.split(b'"')[::2]) if b'"' in outside else outside


def count_parts(outside: bytes) -> int:
    """Count lists and objects; of bigger lists, rather what is in them: the parts that are dear to decode.

    All commas but those between members of objects, of which each has a colon, stand in lists.

    Args:
        outside: as `strip_strings` gives it.
    """
    return outside.count(b"[") + max(0, outside.count(b",") - outside.count(b":"))


def opens_deeper(outside: bytes, depth_max: int) -> bool:
    """Tell at a glance whether more lists or objects than allowed begin one right after another."""
    return b"[" * (depth_max + 1) in outside.replace(b":", b"")


def is_deeper(outside: bytes, depth_max: int) -> bool:
    """Tell whether brackets are nested deeper than allowed; brackets without a partner count as nested.

    Looks at the whole once per level.

    Args:
        outside: as `strip_strings` gives it.
    """
    if outside.count(b"[") <= depth_max:
        return False
    brackets = outside.translate(None, b",:")
    for _ in range(depth_max):
        if not brackets or opens_deeper(brackets, depth_max):
            break
        brackets = brackets.replace(b"[]", b"")
    return bool(brackets)
