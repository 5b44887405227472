"""`python -m service`, the same as the command `response-sync`."""

from __future__ import annotations

from service.cli import PROGRAM, app


def main() -> None:
    """Run the command line."""
    app(prog_name=PROGRAM)


if __name__ == "__main__":
    main()
