"""The settings: one frozen `Settings`, read once at start and passed down in parts."""

from service.settings.reading import (
    Scope,
    find_unknown_names,
    list_secret_texts,
    read_bare_environment,
    read_settings,
)
from service.settings.secret import Secret
from service.settings.values import (
    CLOUDS,
    Cloud,
    CloudUrls,
    Durability,
    LogFormat,
    LogLevel,
    MessageScope,
    Redactable,
    Settings,
    SignInKind,
    setting_name,
)

__all__ = [
    "CLOUDS",
    "Cloud",
    "CloudUrls",
    "Durability",
    "LogFormat",
    "LogLevel",
    "MessageScope",
    "Redactable",
    "Scope",
    "Secret",
    "Settings",
    "SignInKind",
    "find_unknown_names",
    "list_secret_texts",
    "read_bare_environment",
    "read_settings",
    "setting_name",
]
