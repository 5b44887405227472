"""One target under Atheris; the arguments after its name are those of libFuzzer."""

from __future__ import annotations

import importlib
import sys
from typing import Any


def main() -> None:
    """Instrument what is imported, then fuzz until libFuzzer ends the process."""
    atheris: Any = importlib.import_module("atheris")
    with atheris.instrument_imports(include=["service", "jwt"]):
        targets = importlib.import_module("tests.fuzz.targets")
    target = targets.TARGETS[sys.argv[1]]
    atheris.Setup([sys.argv[0], *sys.argv[2:]], target)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
