"""Certificates between servers: from the secret, or those that are given if they fit."""

from __future__ import annotations

import datetime
import ipaddress
import stat
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from fairlead.agent.etcd.certificates import certificates
from fairlead.settings.settings import Settings, build

BOTH = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]


def made(folder: Path, address: str, usages: list[x509.ObjectIdentifier]) -> Settings:
    """Settings with a certificate that signs itself."""
    key = Ed25519PrivateKey.generate()
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "s1")])
    begin, end = datetime.datetime(2020, 1, 1), datetime.datetime(2999, 1, 1)
    names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(address))])
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1, begin, end)
    builder = builder.add_extension(names, critical=False)
    cert = builder.add_extension(x509.ExtendedKeyUsage(usages), critical=False).sign(key, None)
    (folder / "cert.pem").write_bytes(cert.public_bytes(serialization.Encoding.PEM))
    (folder / "key.pem").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    files = {name: str(folder / f"{name[:-5]}.pem") for name in ("cert_file", "key_file")}
    raw = {"engine": "memory:", "bind_addr": "10.0.0.1", "ca_file": files["cert_file"], **files}
    return build(raw)


def test_the_same_secret_is_the_same_authority_and_a_key_of_ones_own(tmp_path: Path) -> None:
    settings = build({"engine": "memory:", "bind_addr": "10.0.0.1"})
    one, two, other = (
        certificates(settings, secret, tmp_path / name)
        for name, secret in (("a", b"secret"), ("b", b"secret"), ("c", b"another"))
    )
    read = [Path(made.ca_file).read_bytes() for made in (one, two, other)]
    # Signed anew each time, and Ed25519 signs the same with the same bytes.
    assert read[0] == read[1] != read[2]
    assert Path(one.key_file).read_bytes() != Path(two.key_file).read_bytes()
    mode = stat.S_IMODE(Path(one.key_file).stat().st_mode)
    assert (mode, one.scheme, one.trust, one.warning) == (0o600, "https", "encrypt", "")


def test_given_files_that_fit_are_used(tmp_path: Path) -> None:
    settings = made(tmp_path, "10.0.0.1", BOTH)
    found = certificates(settings, b"secret", tmp_path / "tls")
    assert found.cert_file == settings.cert_file
    assert found.trust.startswith("ca_file ")


@pytest.mark.parametrize(
    ("address", "usages", "why"),
    [
        ("10.0.0.2", BOTH, "it does not name 10.0.0.1"),
        ("10.0.0.1", BOTH[:1], "it is not for both servers and clients"),
    ],
)
def test_given_files_that_do_not_fit_are_not_used_and_it_is_said_why(
    tmp_path: Path, address: str, usages: list[x509.ObjectIdentifier], why: str
) -> None:
    settings = made(tmp_path, address, usages)
    found = certificates(settings, b"secret", tmp_path / "tls")
    assert found.trust == "encrypt"
    assert why in found.warning
    plain = certificates(settings, b"", tmp_path / "tls")
    assert (plain.trust, plain.scheme) == ("none", "http")
    assert why in plain.warning
    assert "without TLS" in plain.warning
