"""Keys in files: made for nobody else to read, found again, followed while the service runs."""

from __future__ import annotations

import base64
import stat
from base64 import b64decode
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from service.errors import ConfigError
from service.rich.key_ring import KeyRing
from service.rich.keys import EncryptionKey, make_key_file, read_key_file, split_places
from tests.unit.pipeline.fakes import StillClock

NOW = datetime(2026, 11, 24, 8, 0, tzinfo=UTC)


def make(directory: Path, *, days: float = 0) -> EncryptionKey:
    return make_key_file(directory, now=NOW + timedelta(days=days), bits=2048, days=100)


def build_ring(*places: Path, clock: StillClock | None = None) -> KeyRing:
    return KeyRing(places, clock=clock or StillClock(), look_again_s=10)


def test_a_key_is_made_with_its_certificate_in_a_file_that_nobody_else_may_read(tmp_path: Path) -> None:
    key = make(tmp_path / "keys")
    assert stat.S_IMODE(key.file.stat().st_mode) == 0o600
    assert stat.S_IMODE(key.file.parent.stat().st_mode) == 0o700
    assert [one.name for one in key.file.parent.iterdir()] == [key.file.name]
    certificate = x509.load_der_x509_certificate(b64decode(key.encoded))
    assert certificate.public_key() == key.private_key.public_key()
    assert certificate.issuer == certificate.subject
    assert certificate.not_valid_after_utc - certificate.not_valid_before_utc == timedelta(days=100)
    certificate.verify_directly_issued_by(certificate)
    assert len(key.id) <= 128


def test_a_key_is_read_as_it_was_made_and_shows_nothing_of_itself(tmp_path: Path) -> None:
    made = make(tmp_path)
    read = read_key_file(made.file)
    assert (read.id, read.encoded, read.thumbprint, read.bits) == (
        made.id,
        made.encoded,
        made.thumbprint,
        2048,
    )
    assert "private" not in repr(read).casefold()


def test_the_order_in_the_file_and_other_certificates_do_not_matter(tmp_path: Path) -> None:
    ours, other = make(tmp_path), make(tmp_path, days=1)
    blocks = ours.file.read_text().split("-----END PRIVATE KEY-----\n")
    stranger = other.file.read_text().split("-----END PRIVATE KEY-----\n")[1]
    mixed = tmp_path / "mixed.pem"
    mixed.write_text(f"{stranger}{blocks[1]}{blocks[0]}-----END PRIVATE KEY-----\n")
    assert read_key_file(mixed).id == ours.id


def encode(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> str:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def encode_as_unknown(key: rsa.RSAPrivateKey) -> str:
    """Give the key under an algorithm that nobody knows."""
    rsa_oid, unknown_oid = bytes.fromhex("06092a864886f70d010101"), bytes.fromhex("06092a864886f70d010163")
    content = key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    encoded = base64.encodebytes(content.replace(rsa_oid, unknown_oid)).decode()
    return f"-----BEGIN PRIVATE KEY-----\n{encoded}-----END PRIVATE KEY-----\n"


def test_what_graph_would_not_take_is_refused_and_not_shown(tmp_path: Path) -> None:
    good = make(tmp_path).file.read_text()
    weak = encode(rsa.generate_private_key(public_exponent=65537, key_size=1024))
    curve = encode(ec.generate_private_key(ec.SECP256R1()))
    certificate = good.split("-----END PRIVATE KEY-----\n")[1]
    unknown = encode_as_unknown(rsa.generate_private_key(public_exponent=65537, key_size=2048))
    cases = ["", "text", good[:500], certificate, "é" + good]
    cases += [key + certificate for key in (weak, curve, unknown)]
    file = tmp_path / "bad.pem"
    for text in cases:
        file.write_text(text)
        with pytest.raises(ConfigError, match="cannot be used") as raised:
            read_key_file(file)
        assert "BEGIN" not in str(raised.value)
    with pytest.raises(ConfigError, match="No such file"):
        read_key_file(tmp_path / "absent.pem")


def test_the_first_place_is_the_current_one_and_the_newest_of_a_directory(tmp_path: Path) -> None:
    old, new = make(tmp_path / "keys"), make(tmp_path / "keys", days=1)
    apart = make(tmp_path / "apart", days=2)
    assert [key.id for key in build_ring(tmp_path / "keys").keys] == [new.id, old.id]
    assert build_ring(old.file, new.file).current.id == old.id
    assert build_ring(old.file, apart.file.parent).current.id == old.id
    assert [key.id for key in build_ring(apart.file, tmp_path / "keys").keys] == [apart.id, new.id, old.id]


def test_a_key_is_found_by_its_id_or_by_its_thumbprint(tmp_path: Path) -> None:
    key = make(tmp_path)
    ring = build_ring(tmp_path)
    found = (ring.find(key.id), ring.find("another word", key.thumbprint.lower()))
    assert [one.id for one in found if one] == [key.id, key.id]
    assert ring.find("another word") is None
    assert ring.find("another word", "00" * 20) is None


def test_a_key_that_is_put_there_or_taken_away_is_noticed_without_a_restart(tmp_path: Path) -> None:
    clock = StillClock()
    old = make(tmp_path)
    ring = build_ring(tmp_path, clock=clock)
    new = make(tmp_path, days=1)
    assert ring.find(new.id) is None
    clock.moment += timedelta(seconds=10)
    assert ring.current.id == new.id
    old.file.unlink()
    clock.moment += timedelta(seconds=10)
    assert [key.id for key in ring.keys] == [new.id]


def test_a_file_that_cannot_be_used_stops_a_start_and_nothing_that_runs(tmp_path: Path) -> None:
    clock = StillClock()
    key = make(tmp_path)
    ring = build_ring(tmp_path, clock=clock)
    (tmp_path / "bad.pem").write_text("text")
    clock.moment += timedelta(seconds=10)
    assert ring.current.id == key.id
    key.file.unlink()
    clock.moment += timedelta(seconds=10)
    assert ring.current.id == key.id
    with pytest.raises(ConfigError, match=r"bad\.pem cannot be used"):
        build_ring(tmp_path)


def test_a_directory_without_a_key_stops_a_start(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="there is no key"):
        build_ring(tmp_path)


def test_places_are_separated_by_commas() -> None:
    assert split_places(" a.pem, /keys ,") == (Path("a.pem"), Path("/keys"))
