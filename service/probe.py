"""Asks the role in this container whether it lives or is ready, for the image's health check; exit 0 if so.

Started every few seconds, so it imports next to nothing, and reads the one setting that it needs itself. It
brings no token: the bare status is told to anyone who reaches the admin listener.

    python -m service.probe healthz | readyz
"""

from __future__ import annotations

import os
import sys
import urllib.error
import urllib.request

TIMEOUT_S = 3.0


def main(arguments: list[str]) -> int:
    """Give 0 where the admin listener answers 200, else 1."""
    path = arguments[0] if arguments else "healthz"
    port = os.environ.get("RESPONSE_SYNC_ADMIN_PORT") or "9464"
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(f"http://127.0.0.1:{port}/{path}", timeout=TIMEOUT_S):
            return 0
    except (OSError, urllib.error.URLError) as error:
        sys.stderr.write(f"{path}: {error}\n")
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
