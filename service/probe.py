"""Asks a role on this machine whether it lives or is ready, for health checks of containers; exit 0 if so.

Started every few seconds, so it imports next to nothing, and reads the three settings that it needs itself.

    python -m service.probe healthz | readyz
"""

from __future__ import annotations

import os
import sys
import urllib.error
import urllib.request
from pathlib import Path

PREFIX = "RESPONSE_SYNC_"
TIMEOUT_S = 3.0


def main(arguments: list[str]) -> int:
    """Give 0 where the admin listener answers 200, else 1."""
    path = arguments[0] if arguments else "healthz"
    port = os.environ.get(f"{PREFIX}ADMIN_PORT") or "9464"
    request = urllib.request.Request(f"http://127.0.0.1:{port}/{path}")
    if token := _read_token():
        request.add_header("Authorization", f"Bearer {token}")
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=TIMEOUT_S):
            return 0
    except (OSError, urllib.error.URLError) as error:
        sys.stderr.write(f"{path}: {error}\n")
        return 1


def _read_token() -> str:
    if path := os.environ.get(f"{PREFIX}ADMIN_TOKEN_FILE"):
        return Path(path).read_text(encoding="utf-8").rstrip("\r\n")
    return os.environ.get(f"{PREFIX}ADMIN_TOKEN", "")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
