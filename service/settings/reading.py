"""Reads the settings and lists every fault at once. Called once, at start; nothing else reads them."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from pydantic import ValidationError

from service.errors import ConfigError
from service.settings.faults import FILE_RULES, REDIS_RULES, SERVICE_RULES
from service.settings.sources import UnusableFile
from service.settings.values import (
    CLOUDS,
    MINUTES_BASIC,
    MINUTES_RICH,
    PREFIX,
    SECRET_FIELDS,
    UNPREFIXED,
    Settings,
    setting_name,
)


class Scope(StrEnum):
    """How much a command needs.

    `SERVICE`: everything. `EMBEDDED`: everything that `--embedded` does not make itself. `REDIS`: only what
    finds the keys, so that the stream can be read where no credential is. `FILES`: only what names files.
    """

    SERVICE = "service"
    EMBEDDED = "embedded"
    REDIS = "redis"
    FILES = "files"


_MADE_WHEN_EMBEDDED = frozenset({"redis_url", "secret_key"})
_RULES = {Scope.REDIS: REDIS_RULES, Scope.FILES: FILE_RULES}


def read_settings(scope: Scope, *, env_file: Path | None = Path(".env"), **made: Any) -> Settings:
    """Read the environment, `.env` and the files that `..._FILE` names.

    Args:
        made: fields that the caller made and that need no setting.

    Raises:
        ConfigError: one sentence per faulty setting, each beginning with its name.
    """
    settings, malformed = _read_well_formed(env_file, made)
    settings = _fill_in(settings)
    excused = _MADE_WHEN_EMBEDDED if scope is Scope.EMBEDDED else frozenset()
    faults = list(malformed.values())
    for rule in _RULES.get(scope, SERVICE_RULES):
        for field, sentence in rule(settings):
            if field not in malformed and not (field in excused and not _is_given(settings, field)):
                faults.append(f"{setting_name(field)} {sentence}")
    if faults:
        raise ConfigError(faults)
    return settings


def find_unknown_names(environ: Mapping[str, str] | None = None) -> tuple[str, ...]:
    """Give names in the environment that look like settings and are none, in order: most likely misspelt."""
    known = {setting_name(field) for field in Settings.model_fields}
    known |= {setting_name(field) + "_FILE" for field in SECRET_FIELDS}
    given = os.environ if environ is None else environ
    return tuple(sorted(name for name in given if name.startswith(PREFIX) and name not in known))


def list_secret_texts(settings: Settings) -> tuple[str, ...]:
    """Give every text that must never be logged: secrets, and the password within REDIS_URL."""
    texts = [getattr(settings, field).get_secret_value() for field in SECRET_FIELDS]
    texts += settings.former_secret_keys.get_secret_value().split()
    password = urlsplit(settings.redis_url.get_secret_value()).password
    return tuple(text for text in (*texts, password, password and unquote(password)) if text)


def read_bare_environment() -> dict[str, str]:
    """Give the environment without any of our settings, for a child process that gets its own."""
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(PREFIX) and name.removesuffix("_FILE").lower() not in UNPREFIXED
    }


def _read_well_formed(env_file: Path | None, made: Mapping[str, Any]) -> tuple[Settings, dict[str, str]]:
    """Read what can be read; malformed settings stand at their defaults, with a sentence for each."""
    malformed: dict[str, str] = {}
    replaced = {setting_name(field): value for field, value in made.items()}
    try:
        return Settings(_env_file=env_file, **replaced), malformed
    except ValidationError as error:
        for field, sentence in _describe(error):
            malformed[field] = sentence
            replaced[setting_name(field)] = Settings.model_fields[field].default
    return Settings(_env_file=env_file, **replaced), malformed


def _describe(error: ValidationError) -> Iterable[tuple[str, str]]:
    fields = {setting_name(field): field for field in Settings.model_fields}
    for detail in error.errors(include_url=False):
        name = str(detail["loc"][0])
        given = detail["input"]
        if isinstance(given, UnusableFile):
            yield fields[name], f"{name} {given.sentence}."
        else:
            yield fields[name], f"{name} is malformed: {detail['msg'][:1].lower()}{detail['msg'][1:]}."


def _fill_in(settings: Settings) -> Settings:
    """Give the settings whose defaults depend on other settings their values."""
    cloud = CLOUDS[settings.cloud]
    authority = settings.authority_url or f"{cloud.authority}/{settings.tenant_id or 'tenant'}"
    lifetime = settings.subscription_minutes or (MINUTES_RICH if settings.is_rich else MINUTES_BASIC)
    return settings.model_copy(
        update={
            "graph_url": (settings.graph_url or f"{cloud.graph}/v1.0").rstrip("/"),
            "authority_url": authority.rstrip("/"),
            "public_url": settings.public_url.rstrip("/"),
            "subscription_minutes": lifetime,
        }
    )


def _is_given(settings: Settings, field: str) -> bool:
    value = getattr(settings, field)
    return bool(value.get_secret_value())
