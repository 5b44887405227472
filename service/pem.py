"""The parts of a PEM file. Pure.

Source: https://www.rfc-editor.org/rfc/rfc7468
"""

from __future__ import annotations

import re
from typing import Final

_BLOCK: Final = re.compile(r"-----BEGIN ([A-Z ]+)-----.+?-----END \1-----", re.DOTALL)


def list_blocks(text: str) -> list[tuple[str, str]]:
    """Give each block with its label, such as `CERTIFICATE`, in the order of the file."""
    return [(match[1], match[0]) for match in _BLOCK.finditer(text)]
