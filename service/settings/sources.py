"""Secrets from files that `..._FILE` names, as container platforms and systemd hand them over.

Must never put a file's content into an error.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, EnvSettingsSource, PydanticBaseSettingsSource

from service.settings.secret import Secret

BYTES_MAX = 65_536


@dataclass(frozen=True, slots=True, kw_only=True)
class UnusableFile:
    """Stands where a secret should be; no field accepts it, so the fault is told with all the others.

    Attributes:
        sentence: what is wrong and what to do, without the setting's name.
    """

    sentence: str


class NamedFileSource(PydanticBaseSettingsSource):
    """Gives the content of the file that `<setting>_FILE` names, for settings that are secrets.

    A trailing line break is no part of the secret.
    """

    def __init__(self, settings_cls: type[BaseSettings], *sources: PydanticBaseSettingsSource) -> None:
        super().__init__(settings_cls)
        merged: dict[str, str | None] = {}
        for source in reversed(sources):
            if isinstance(source, EnvSettingsSource):
                merged.update(source.env_vars)
        self._given: Mapping[str, str | None] = merged

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        """Give the value, its key and False: a secret is plain text."""
        name = str(field.validation_alias or field_name)
        path = self._given.get(f"{name}_file".lower())
        if not path:
            return None, name, False
        if self._given.get(name.lower()):
            return UnusableFile(sentence=f"is set twice: unset it or {name}_FILE"), name, False
        return read_secret_file(path, f"{name}_FILE"), name, False

    def __call__(self) -> dict[str, Any]:
        found = {}
        for field_name, field in self.settings_cls.model_fields.items():
            if field.annotation is not Secret:
                continue
            value, name, _ = self.get_field_value(field, field_name)
            if value is not None:
                found[name] = value
        return found


def read_secret_file(path: str, name: str) -> str | UnusableFile:
    """Read one secret.

    Args:
        name: of the setting that holds the path, for the sentence.
    """
    try:
        with Path(path).open(encoding="utf-8") as file:
            text = file.read(BYTES_MAX + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
        return UnusableFile(sentence=f"cannot be read from the file that {name} names: {reason}")
    if len(text) > BYTES_MAX:
        return UnusableFile(sentence=f"is longer than {BYTES_MAX} characters in the file of {name}")
    return text.rstrip("\r\n")
