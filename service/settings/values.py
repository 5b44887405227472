"""Every setting by name, with its type, default and meaning. Must never read the environment by itself.

README lists the same table; `tests/unit/test_docs.py` compares the two.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Final

from pydantic import AliasGenerator, BeforeValidator, Field
from pydantic_settings import (
    BaseSettings,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from service.settings.limits import LimitSettings
from service.settings.secret import Secret
from service.settings.sources import NamedFileSource

PREFIX: Final = "RESPONSE_SYNC_"
UNPREFIXED: Final = frozenset({"redis_url", "port", "host"})
MINUTES_BASIC: Final = 10_080
MINUTES_RICH: Final = 1_440


def setting_name(field: str) -> str:
    """Give the name under which the environment holds a field of `Settings`."""
    return field.upper() if field in UNPREFIXED else PREFIX + field.upper()


class Cloud(StrEnum):
    """Microsoft's clouds; tokens of one are worth nothing in another."""

    GLOBAL = "global"
    US_GOVERNMENT = "usgov"
    US_GOVERNMENT_DOD = "usgov-dod"
    CHINA = "china"


@dataclass(frozen=True, slots=True, kw_only=True)
class CloudUrls:
    """Where a cloud has Graph and its sign-in; neither ends in a slash."""

    graph: str
    authority: str


CLOUDS: Final = {
    Cloud.GLOBAL: CloudUrls(
        graph="https://graph.microsoft.com", authority="https://login.microsoftonline.com"
    ),
    Cloud.US_GOVERNMENT: CloudUrls(
        graph="https://graph.microsoft.us", authority="https://login.microsoftonline.us"
    ),
    Cloud.US_GOVERNMENT_DOD: CloudUrls(
        graph="https://dod-graph.microsoft.us", authority="https://login.microsoftonline.us"
    ),
    Cloud.CHINA: CloudUrls(
        graph="https://microsoftgraph.chinacloudapi.cn", authority="https://login.chinacloudapi.cn"
    ),
}
"""Source: https://learn.microsoft.com/graph/deployments"""


class Durability(StrEnum):
    """What a 202 promises: kept in Redis' memory, on its disk, or on one replica as well."""

    MEMORY = "memory"
    FSYNC = "fsync"
    REPLICA = "replica"


class SignInKind(StrEnum):
    """In whose name mailboxes are read of people who have not signed in: the application's, or nobody's."""

    APPLICATION = "application"
    DELEGATED = "delegated"


class MessageScope(StrEnum):
    """Which messages of a mailbox are watched."""

    INBOX = "inbox"
    MAILBOX = "mailbox"


class Redactable(StrEnum):
    """What an update can do without."""

    SUBJECT = "subject"
    COMMENT = "comment"
    ADDRESSES = "addresses"


class LogLevel(StrEnum):
    """The least level that is written."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class LogFormat(StrEnum):
    """How a log line looks; `auto` is text on a terminal and JSON elsewhere."""

    AUTO = "auto"
    JSON = "json"
    TEXT = "text"


def split_list(given: object) -> object:
    """Read `a, b` as a set of words; `none` and nothing are the empty set."""
    if not isinstance(given, str):
        return given
    words = {word.strip() for word in given.split(",")} - {""}
    return frozenset() if words == {"none"} else frozenset(words)


SCOPES: Final = frozenset({"Mail.Read", "Calendars.Read", "MailboxSettings.Read", "User.Read"})
"""What people are asked for when they sign in."""

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
PositiveInt = Annotated[int, Field(gt=0)]
Port = Annotated[int, Field(ge=0, le=65_535)]


class Settings(LimitSettings):
    """Every setting. Read by `read_settings`, which lists all faults at once.

    Texts are empty where nothing was set; `graph_url`, `authority_url` and `subscription_minutes` are
    filled in by `read_settings` from the cloud, the tenant and the kind of notification.
    """

    model_config = SettingsConfigDict(
        frozen=True,
        extra="ignore",
        env_file=".env",
        env_file_encoding="utf-8",
        env_ignore_empty=True,
        alias_generator=AliasGenerator(validation_alias=setting_name),
        validate_by_name=True,
        validate_by_alias=True,
        str_strip_whitespace=True,
    )

    redis_url: Secret = Field(
        Secret(""), description="`redis://`, `rediss://` or `unix://`; with a sentinel, the sentinels"
    )
    port: Port = Field(8080, description="port of the public listener; 0 takes a free one")
    host: str = Field("0.0.0.0", description="address of the public listener")  # noqa: S104 - Graph must reach it

    tenant_id: str = Field("", description="directory (tenant) id of the application registration")
    client_id: str = Field("", description="application (client) id")
    client_secret: Secret = Field(Secret(""), description="credential: a client secret")
    client_secret_file: str = Field(
        "", description="file with it, read anew when Entra ID refuses what it held"
    )
    client_certificate_file: str = Field("", description="credential: PEM file with key and certificate")
    federated_token_file: str = Field("", description="credential: file with a token of another issuer")
    managed_identity: str = Field("", description="credential: `system`, or the client id of the identity")
    sign_in: SignInKind = Field(
        SignInKind.APPLICATION,
        description="`application`, or `delegated`: no credential, each mailbox by its person's `login`",
    )
    sign_in_scopes: Annotated[frozenset[str], NoDecode, BeforeValidator(split_list)] = Field(
        SCOPES, description="permissions that `login` asks a person for"
    )
    cloud: Cloud = Field(Cloud.GLOBAL, description="`global`, `usgov`, `usgov-dod`, `china`")
    graph_url: str = Field("", description="Graph with its version, such as `https://host:port/v1.0`")
    authority_url: str = Field("", description="sign-in authority, ends in the tenant")
    ca_bundle: str = Field("", description="PEM file with CAs to trust beside the system's")
    use_proxy: bool = Field(False, description="go through the proxy that HTTPS_PROXY names")

    public_url: str = Field("", description="https base under which Graph reaches the public listener")
    tls_cert_file: str = Field("", description="PEM file: TLS on the public listener itself")
    tls_key_file: str = Field("", description="PEM file with the key to it")
    secret_key: Secret = Field(
        Secret(""), description="at least 32 bytes; client states are derived from it, `--embedded` makes one"
    )
    former_secret_keys: Secret = Field(
        Secret(""), description="earlier values of `SECRET_KEY` between blanks, still honoured after a change"
    )
    deployment: str = Field("default", description="tag of our subscriptions; others are left alone")
    owners_file: str = Field("", description="TOML roster, applied at start when there is none yet")

    stream: str = Field("responses", description="the update stream; all keys begin with it")
    partitions: PositiveInt = Field(1, description="above 1 the streams are `responses-0`, `responses-1`, ..")
    redis_cluster: bool = Field(False, description="whether Redis is a cluster")
    redis_entra: bool = Field(
        False,
        description="sign in to Redis with the application's credential, as Azure Managed Redis wants it",
    )
    redis_sentinel: str = Field("", description="name of the master that the sentinels watch")
    stream_maxlen: PositiveInt = Field(1_000_000, description="about so many updates are kept")
    retention_days: PositiveInt = Field(
        30, description="days that a meeting's state is kept after the meeting's end"
    )
    durability: Durability = Field(
        Durability.MEMORY, description="what a 202 promises: `memory`, `fsync`, `replica`"
    )

    grace_s: Positive = Field(300.0, description="how long two witnesses may disagree before it is said")
    tolerance_s: Positive = Field(2.0, description="two instants closer than this are the same moment")
    redact: Annotated[frozenset[Redactable], NoDecode, BeforeValidator(split_list)] = Field(
        frozenset(), description="of `subject`, `comment`, `addresses`: an HMAC stands in its place"
    )
    messages: MessageScope = Field(MessageScope.INBOX, description="what is watched: `inbox` or `mailbox`")
    sweep_interval_s: Positive = Field(900.0, description="between two delta queries of a mailbox")
    full_resync_hours: Positive = Field(24.0, description="between two full rounds compared with the state")
    window_days_back: PositiveInt = Field(7, description="the calendar window of sweeps, before today")
    window_days_ahead: PositiveInt = Field(180, description="the calendar window of sweeps, from today")
    subscription_minutes: int = Field(
        0, ge=0, description="lifetime asked for; what Graph grants counts (10080; 1440 with rich)"
    )
    encryption_key_file: str = Field(
        "", description="rich notifications: PEM files with key and certificate, or directories of them"
    )
    validation_publisher: str = Field(
        "0bf30f3b-4a52-48df-9a82-234910c4a086",
        description="application id of Graph's change tracking, for whom validation tokens are made out",
    )

    admin_host: str = Field("127.0.0.1", description="address of the admin listener")
    admin_port: Port = Field(9464, description="port of the admin listener; 0 takes a free one")
    admin_token: Secret = Field(
        Secret(""), description="bearer token of the admin listener; needed off loopback"
    )
    log_level: LogLevel = Field(LogLevel.INFO, description="`debug`, `info`, `warning`, `error`")
    log_format: LogFormat = Field(LogFormat.AUTO, description="`json`, `text`, or `auto`: text on a terminal")

    @property
    def is_rich(self) -> bool:
        """Tell whether notifications carry the resource's data."""
        return bool(self.encryption_key_file)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Put the files that `..._FILE` names before the environment, and `.env` last."""
        files = NamedFileSource(settings_cls, env_settings, dotenv_settings)
        return init_settings, files, env_settings, dotenv_settings


SECRET_FIELDS: Final = tuple(
    name for name, field in Settings.model_fields.items() if field.annotation is Secret
)
