"""Reading the settings: every fault at once, secrets that stay secret, defaults that depend on others."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from service.errors import ConfigError
from service.settings import (
    CLOUDS,
    Cloud,
    Durability,
    Redactable,
    Scope,
    Settings,
    find_unknown_names,
    list_secret_texts,
    read_settings,
    setting_name,
)

KEY = "k" * 32
COMPLETE = {
    "REDIS_URL": "redis://localhost:6379/0",
    "RESPONSE_SYNC_TENANT_ID": "11111111-2222-3333-4444-555555555555",
    "RESPONSE_SYNC_CLIENT_ID": "66666666-7777-8888-9999-000000000000",
    "RESPONSE_SYNC_CLIENT_SECRET": "a-client-secret",
    "RESPONSE_SYNC_PUBLIC_URL": "https://sync.example.com/base/",
    "RESPONSE_SYNC_SECRET_KEY": KEY,
}


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Take away every setting that the machine may have, and stand in an empty directory."""
    for field in Settings.model_fields:
        monkeypatch.delenv(setting_name(field), raising=False)
        monkeypatch.delenv(setting_name(field) + "_FILE", raising=False)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def give(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Set the complete settings, changed as given; None takes one away."""

    def set_environment(**changes: str | None) -> None:
        for name, value in {**COMPLETE, **changes}.items():
            if value is None:
                monkeypatch.delenv(name, raising=False)
            else:
                monkeypatch.setenv(name, value)

    return set_environment


def read_faults(scope: Scope = Scope.SERVICE) -> tuple[str, ...]:
    with pytest.raises(ConfigError) as caught:
        read_settings(scope)
    return caught.value.faults


def test_no_settings_at_all_names_everything_that_is_missing() -> None:
    faults = read_faults()

    assert [fault.split()[0] for fault in faults] == [
        "RESPONSE_SYNC_TENANT_ID",
        "RESPONSE_SYNC_CLIENT_ID",
        "RESPONSE_SYNC_CLIENT_SECRET",
        "RESPONSE_SYNC_PUBLIC_URL",
        "RESPONSE_SYNC_SECRET_KEY",
        "REDIS_URL",
    ]
    for credential in ("CLIENT_CERTIFICATE_FILE", "FEDERATED_TOKEN_FILE", "MANAGED_IDENTITY"):
        assert f"RESPONSE_SYNC_{credential}" in faults[2]


def test_an_embedded_server_excuses_only_what_it_makes_itself() -> None:
    names = [fault.split()[0] for fault in read_faults(Scope.EMBEDDED)]

    assert "REDIS_URL" not in names
    assert "RESPONSE_SYNC_SECRET_KEY" not in names
    assert "RESPONSE_SYNC_TENANT_ID" in names


def test_an_embedded_server_does_not_excuse_a_key_that_is_too_short(give: Any) -> None:
    give(RESPONSE_SYNC_SECRET_KEY="short")

    assert read_faults(Scope.EMBEDDED) == ("RESPONSE_SYNC_SECRET_KEY has 5 bytes: it needs at least 32.",)


def test_reading_the_stream_needs_redis_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    assert [fault.split()[0] for fault in read_faults(Scope.REDIS)] == ["REDIS_URL"]

    monkeypatch.setenv("REDIS_URL", "unix:///run/redis.sock")
    assert read_settings(Scope.REDIS).redis_url.get_secret_value() == "unix:///run/redis.sock"


def test_malformed_and_missing_settings_are_told_together(give: Any) -> None:
    give(PORT="many", RESPONSE_SYNC_CLOUD="mars", RESPONSE_SYNC_TENANT_ID=None, RESPONSE_SYNC_GRACE_S="-1")

    names = [fault.split()[0] for fault in read_faults()]

    assert names == ["PORT", "RESPONSE_SYNC_CLOUD", "RESPONSE_SYNC_GRACE_S", "RESPONSE_SYNC_TENANT_ID"]


@pytest.mark.parametrize(
    ("changes", "name", "words"),
    [
        ({"RESPONSE_SYNC_SECRET_KEY": "x" * 31}, "RESPONSE_SYNC_SECRET_KEY", "31 bytes"),
        ({"RESPONSE_SYNC_PUBLIC_URL": "http://sync.example.com"}, "RESPONSE_SYNC_PUBLIC_URL", "https"),
        ({"RESPONSE_SYNC_PUBLIC_URL": "http://127.0.0.1:8080"}, "RESPONSE_SYNC_PUBLIC_URL", "sandbox"),
        (
            {"RESPONSE_SYNC_PUBLIC_URL": "https://u:p@sync.example.com"},
            "RESPONSE_SYNC_PUBLIC_URL",
            "password",
        ),
        ({"RESPONSE_SYNC_PUBLIC_URL": "https://h/?a=b"}, "RESPONSE_SYNC_PUBLIC_URL", "query"),
        ({"RESPONSE_SYNC_PUBLIC_URL": "sync.example.com"}, "RESPONSE_SYNC_PUBLIC_URL", "https://host/path"),
        ({"RESPONSE_SYNC_PUBLIC_URL": "https://[::1"}, "RESPONSE_SYNC_PUBLIC_URL", "no URL"),
        ({"RESPONSE_SYNC_GRAPH_URL": "http://graph.example.com/v1.0"}, "RESPONSE_SYNC_GRAPH_URL", "tokens"),
        ({"RESPONSE_SYNC_GRAPH_URL": "https://graph.example.com"}, "RESPONSE_SYNC_GRAPH_URL", "version"),
        ({"RESPONSE_SYNC_AUTHORITY_URL": "http://127.0.0.1/t"}, "RESPONSE_SYNC_AUTHORITY_URL", "https"),
        (
            {"RESPONSE_SYNC_AUTHORITY_URL": "https://login.example.com"},
            "RESPONSE_SYNC_AUTHORITY_URL",
            "tenant",
        ),
        ({"RESPONSE_SYNC_TENANT_ID": "a/b"}, "RESPONSE_SYNC_TENANT_ID", "directory id"),
        ({"RESPONSE_SYNC_STREAM": "a{b}"}, "RESPONSE_SYNC_STREAM", "braces"),
        ({"RESPONSE_SYNC_REDACT": "subject,colour"}, "RESPONSE_SYNC_REDACT", "comment"),
        ({"RESPONSE_SYNC_ADMIN_HOST": "0.0.0.0"}, "RESPONSE_SYNC_ADMIN_TOKEN", "missing"),
        ({"RESPONSE_SYNC_MANAGED_IDENTITY": "system"}, "RESPONSE_SYNC_CLIENT_SECRET", "exactly one"),
        ({"RESPONSE_SYNC_CA_BUNDLE": "/not/there.pem"}, "RESPONSE_SYNC_CA_BUNDLE", "not there"),
        ({"RESPONSE_SYNC_DEPLOYMENT": "a b"}, "RESPONSE_SYNC_DEPLOYMENT", "letters"),
        ({"REDIS_URL": "http://localhost"}, "REDIS_URL", "redis://"),
        ({"REDIS_URL": "redis://[::1"}, "REDIS_URL", "no URL"),
        ({"REDIS_URL": "redis://localhost:port/0"}, "REDIS_URL", "no URL"),
        ({"RESPONSE_SYNC_PARTITIONS": "0"}, "RESPONSE_SYNC_PARTITIONS", "greater than 0"),
        ({"RESPONSE_SYNC_SWEEP_INTERVAL_S": "nan"}, "RESPONSE_SYNC_SWEEP_INTERVAL_S", "finite"),
        (
            {"RESPONSE_SYNC_REDIS_CLUSTER": "true", "RESPONSE_SYNC_REDIS_SENTINEL": "m"},
            "RESPONSE_SYNC_REDIS_SENTINEL",
            "choose one",
        ),
        (
            {"PORT": "9464", "HOST": "127.0.0.1"},
            "RESPONSE_SYNC_ADMIN_PORT",
            "choose another",
        ),
    ],
)
def test_each_unusable_setting_gets_its_own_sentence(
    give: Any, changes: dict[str, str], name: str, words: str
) -> None:
    give(**changes)

    faults = read_faults()

    assert len(faults) == 1
    assert faults[0].startswith(f"{name} ")
    assert words in faults[0]


def test_certificate_and_key_of_the_listener_go_together(give: Any, tmp_path: Path) -> None:
    certificate = tmp_path / "cert.pem"
    certificate.write_text("-")
    give(RESPONSE_SYNC_TLS_CERT_FILE=str(certificate))

    assert read_faults()[0].startswith("RESPONSE_SYNC_TLS_KEY_FILE is missing")


def test_plain_http_is_taken_when_sandbox_and_service_are_both_on_this_machine(give: Any) -> None:
    give(
        RESPONSE_SYNC_PUBLIC_URL="http://127.0.0.1:8080",
        RESPONSE_SYNC_GRAPH_URL="https://localhost:4443/v1.0",
    )

    assert read_settings(Scope.SERVICE).public_url == "http://127.0.0.1:8080"


def test_a_secret_is_read_from_the_file_that_is_named(give: Any, tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_text(KEY + "\n")
    give(RESPONSE_SYNC_SECRET_KEY=None, RESPONSE_SYNC_SECRET_KEY_FILE=str(path))

    assert read_settings(Scope.SERVICE).secret_key.get_secret_value() == KEY


def test_a_secret_given_twice_is_a_fault(give: Any, tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_text(KEY)
    give(RESPONSE_SYNC_SECRET_KEY_FILE=str(path))

    assert read_faults() == (
        "RESPONSE_SYNC_SECRET_KEY is set twice: unset it or RESPONSE_SYNC_SECRET_KEY_FILE.",
    )


def test_a_secret_file_that_cannot_be_read_is_told_with_the_other_faults(give: Any) -> None:
    give(RESPONSE_SYNC_SECRET_KEY=None, RESPONSE_SYNC_SECRET_KEY_FILE="/not/there", PORT="x")

    faults = read_faults()

    assert len(faults) == 2
    assert (
        "RESPONSE_SYNC_SECRET_KEY cannot be read from the file that RESPONSE_SYNC_SECRET_KEY_FILE"
        in faults[1]
    )


def test_the_env_file_is_read_and_the_environment_wins(give: Any, tmp_path: Path) -> None:
    give()
    (tmp_path / ".env").write_text(
        "RESPONSE_SYNC_STREAM=from-file\nRESPONSE_SYNC_DURABILITY=fsync\nPORT=1234\n"
    )
    give(RESPONSE_SYNC_STREAM="from-environment")

    settings = read_settings(Scope.SERVICE)

    assert (settings.stream, settings.durability, settings.port) == (
        "from-environment",
        Durability.FSYNC,
        1234,
    )


def test_an_empty_variable_counts_as_not_set(give: Any) -> None:
    give(RESPONSE_SYNC_GRACE_S="", RESPONSE_SYNC_CLIENT_CERTIFICATE_FILE="")

    assert read_settings(Scope.SERVICE).grace_s == 300


@pytest.mark.parametrize("cloud", Cloud)
def test_urls_follow_the_cloud(give: Any, cloud: Cloud) -> None:
    give(RESPONSE_SYNC_CLOUD=cloud.value)

    settings = read_settings(Scope.SERVICE)

    assert settings.graph_url == CLOUDS[cloud].graph + "/v1.0"
    assert settings.authority_url == f"{CLOUDS[cloud].authority}/{COMPLETE['RESPONSE_SYNC_TENANT_ID']}"
    assert settings.public_url == "https://sync.example.com/base"


def test_lifetime_asked_for_is_the_longest_unless_it_is_set(give: Any) -> None:
    give()
    assert read_settings(Scope.SERVICE).subscription_minutes == 10_080

    give(RESPONSE_SYNC_SUBSCRIPTION_MINUTES="60")
    assert read_settings(Scope.SERVICE).subscription_minutes == 60


def test_keys_are_looked_for_where_they_are_said_to_be(give: Any, tmp_path: Path) -> None:
    (tmp_path / "new.pem").write_text("-")
    give(RESPONSE_SYNC_ENCRYPTION_KEY_FILE=f"{tmp_path / 'new.pem'}, {tmp_path / 'old.pem'},{tmp_path}")

    (fault,) = read_faults()
    assert fault.startswith("RESPONSE_SYNC_ENCRYPTION_KEY_FILE names a place that is not there")
    assert "old.pem" in fault


def test_notifications_with_resource_data_live_for_a_day(give: Any, tmp_path: Path) -> None:
    give(RESPONSE_SYNC_ENCRYPTION_KEY_FILE=str(tmp_path))
    assert read_settings(Scope.SERVICE).subscription_minutes == 1_440


def test_former_secret_keys_are_as_long_as_the_present_one_and_as_secret(give: Any) -> None:
    give(RESPONSE_SYNC_FORMER_SECRET_KEYS="former-key-former-key-former-key-1 too-short-a-key")

    (fault,) = read_faults()
    assert fault.startswith("RESPONSE_SYNC_FORMER_SECRET_KEYS holds 1 of less than 32 bytes")
    assert "too-short-a-key" not in fault

    former = ("former-key-former-key-former-key-1", "former-key-former-key-former-key-2")
    give(RESPONSE_SYNC_FORMER_SECRET_KEYS=" ".join(former))
    assert set(former) < set(list_secret_texts(read_settings(Scope.SERVICE)))


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("", frozenset()),
        ("none", frozenset()),
        ("subject", {Redactable.SUBJECT}),
        (" subject , comment,", {Redactable.SUBJECT, Redactable.COMMENT}),
    ],
)
def test_redact_is_a_list_of_words(give: Any, given: str, expected: frozenset[Redactable]) -> None:
    give(RESPONSE_SYNC_REDACT=given)

    assert read_settings(Scope.SERVICE).redact == expected


def test_secrets_never_show_in_texts_of_the_settings(give: Any) -> None:
    give(REDIS_URL="redis://:redis-password@localhost", RESPONSE_SYNC_ADMIN_TOKEN="an-admin-token")

    settings = read_settings(Scope.SERVICE)

    for text in (repr(settings), str(settings), str(settings.model_dump()), settings.model_dump_json()):
        assert "***" in text
        for secret in ("redis-password", "an-admin-token", "a-client-secret", KEY):
            assert secret not in text


def test_a_faulty_secret_is_not_shown_in_its_fault(give: Any) -> None:
    give(REDIS_URL="htp://:redis-password@localhost", RESPONSE_SYNC_SECRET_KEY="much-too-short")

    text = " ".join(read_faults())

    assert "redis-password" not in text
    assert "much-too-short" not in text


def test_settings_cannot_be_changed(give: Any) -> None:
    give()
    settings = read_settings(Scope.SERVICE)

    with pytest.raises(ValueError, match="frozen"):
        settings.port = 1  # type: ignore[misc]


def test_names_that_look_like_settings_and_are_none_are_found() -> None:
    given = {"RESPONSE_SYNC_GRACE": "1", "RESPONSE_SYNC_GRACE_S": "1", "RESPONSE_SYNC_SECRET_KEY_FILE": "x"}

    assert find_unknown_names(given) == ("RESPONSE_SYNC_GRACE",)


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"REDIS_URL": "redis://r:10000"}, "needs REDIS_URL to begin with rediss://"),
        ({"REDIS_URL": "rediss://u:p@r:10000"}, "needs REDIS_URL without name and password"),
        ({"REDIS_URL": "rediss://r:10000", "RESPONSE_SYNC_REDIS_SENTINEL": "m"}, "sentinels take no tokens"),
    ],
)
def test_signing_in_to_redis_needs_tls_and_nothing_that_contradicts(
    give: Any, given: dict[str, str], sentence: str
) -> None:
    give(RESPONSE_SYNC_REDIS_ENTRA="true", **given)
    with pytest.raises(ConfigError, match=sentence):
        read_settings(Scope.SERVICE)


def test_reading_redis_needs_the_credential_where_it_is_what_signs_in(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("REDIS_URL", "rediss://r:10000")
    assert not read_settings(Scope.REDIS).redis_entra
    monkeypatch.setenv("RESPONSE_SYNC_REDIS_ENTRA", "true")
    with pytest.raises(ConfigError, match="RESPONSE_SYNC_TENANT_ID is missing"):
        read_settings(Scope.REDIS)
