"""The type of every secret. Must never show its content in a repr, a log line or an error."""

from __future__ import annotations

from pydantic import Secret as PydanticSecret


class Secret(PydanticSecret[str]):
    """A text that prints as `***` and gives itself away only when asked by name."""

    def _display(self) -> str:
        return "***" if self.is_set else ""

    @property
    def is_set(self) -> bool:
        """Tell whether there is any text."""
        return bool(self.get_secret_value())
