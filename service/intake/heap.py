"""How the C library keeps the memory of large buffers. Must never matter where there is another one."""

from __future__ import annotations

import ctypes
from contextlib import suppress
from typing import Final

# From glibc's malloc.h.
_TRIM_THRESHOLD: Final = -1
_MMAP_THRESHOLD: Final = -3
_LARGE_BYTES: Final = 65_536
_KEPT_BYTES: Final = 1_000_000


def give_back_large_buffers() -> None:
    """Let buffers of bodies and of TLS go back to the system once they are free.

    glibc learns from what is freed to keep ever larger buffers, scattered between others: an attack leaves a
    process as large as it ever was, though it holds nothing any more. A fixed threshold ends that.

    Source: https://man7.org/linux/man-pages/man3/mallopt.3.html
    """
    with suppress(AttributeError, OSError, TypeError):  # no glibc
        change = ctypes.CDLL(None).mallopt
        change(_MMAP_THRESHOLD, _LARGE_BYTES)
        change(_TRIM_THRESHOLD, _KEPT_BYTES)
