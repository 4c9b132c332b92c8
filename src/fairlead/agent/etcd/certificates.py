"""The certificates that etcd members show each other: given ones, or made from the secret.

From `encrypt` every server derives the same authority, an Ed25519 key, and
signs with it a key of its own; so that whoever knows the secret is let in, and
nobody else, and what goes over the wire is encrypted.
"""

from __future__ import annotations

import datetime
import hashlib
import ipaddress
import os
from pathlib import Path
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from fairlead.errors import SettingsError
from fairlead.settings.settings import Settings

__all__ = ["Certificates", "certificates"]

_PURPOSE = b"fairlead: authority of the etcd members"
# The clocks of servers may differ by far; who may take part is a matter of the secret alone.
_BEGIN = datetime.datetime(2020, 1, 1)
_END = datetime.datetime(9999, 12, 31, 23, 59, 59)
_BOTH = {ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH}


class Certificates(NamedTuple):
    """The files to give to etcd, if any; `trust` is the same on servers that trust each other."""

    trust: str
    ca_file: str = ""
    cert_file: str = ""
    key_file: str = ""
    warning: str = ""

    @property
    def scheme(self) -> str:
        return "https" if self.ca_file else "http"


def certificates(settings: Settings, key: bytes, folder: Path) -> Certificates:
    """Those of the settings if they fit, else made anew in `folder` from the secret, else none.

    Raises:
        SettingsError: they cannot be written.
    """
    warning = ""
    if settings.ca_file and settings.cert_file and settings.key_file:
        given = _given(settings)
        if isinstance(given, Certificates):
            return given
        warning = f"{settings.cert_file} is not used between the servers: {given}"
    if key:
        return _derived(key, folder, settings.advertise_addr)._replace(warning=warning)
    plain = "the servers talk to each other without TLS: give all of them the same encrypt"
    return Certificates("none", warning=f"{warning}; {plain}" if warning else plain)


def _given(settings: Settings) -> Certificates | str:
    """The files of the settings; or why they cannot be used between servers."""
    try:
        cert = x509.load_pem_x509_certificate(Path(settings.cert_file).read_bytes())
        authority = Path(settings.ca_file).read_bytes()
        x509.load_pem_x509_certificates(authority)
    except (OSError, ValueError) as error:
        return f"it cannot be read ({error})"
    try:
        usages = cert.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
        if not set(usages) >= _BOTH:
            return "it is not for both servers and clients"
    except x509.ExtensionNotFound:
        pass
    try:
        names = cert.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return "it names no address"
    address = settings.advertise_addr
    if ipaddress.ip_address(address) not in names.get_values_for_type(x509.IPAddress):
        return f"it does not name {address}"
    mark = hashlib.sha256(authority).hexdigest()[:12]
    return Certificates(f"ca_file {mark}", settings.ca_file, settings.cert_file, settings.key_file)


def _derived(secret: bytes, folder: Path, address: str) -> Certificates:
    authority = _authority_key(secret)
    own = Ed25519PrivateKey.generate()
    files = {
        "ca.pem": _pem(_authority_cert(authority)),
        "cert.pem": _pem(_own_cert(authority, own, address)),
        "key.pem": own.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ),
    }
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for name, text in files.items():
            _write(folder / name, text)
    except OSError as error:
        raise SettingsError(f"cannot write {folder}: {error.strerror}") from error
    return Certificates("encrypt", *(str(folder / name) for name in files))


def _authority_key(secret: bytes) -> Ed25519PrivateKey:
    derived = HKDF(algorithm=hashes.SHA256(), length=32, salt=None, info=_PURPOSE).derive(secret)
    return Ed25519PrivateKey.from_private_bytes(derived)


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _authority_cert(key: Ed25519PrivateKey) -> x509.Certificate:
    name = _name("fairlead servers")
    usage = x509.KeyUsage(True, False, False, False, False, True, False, False, False)
    identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1, _BEGIN, _END)
    builder = builder.add_extension(x509.BasicConstraints(True, 0), critical=True)
    builder = builder.add_extension(usage, critical=True)
    return builder.add_extension(identifier, critical=False).sign(key, None)


def _own_cert(
    authority: Ed25519PrivateKey, own: Ed25519PrivateKey, address: str
) -> x509.Certificate:
    addresses = dict.fromkeys([address, "127.0.0.1", "::1"])
    names: list[x509.GeneralName] = [x509.DNSName("localhost")]
    names += [x509.IPAddress(ipaddress.ip_address(text)) for text in addresses]
    identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.public_key())
    builder = x509.CertificateBuilder(
        _name("fairlead servers"),
        _name("fairlead server"),
        own.public_key(),
        x509.random_serial_number(),
        _BEGIN,
        _END,
    )
    builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    builder = builder.add_extension(x509.BasicConstraints(False, None), critical=True)
    builder = builder.add_extension(x509.ExtendedKeyUsage(sorted(_BOTH, key=str)), critical=False)
    return builder.add_extension(identifier, critical=False).sign(authority, None)


def _pem(cert: x509.Certificate) -> bytes:
    return cert.public_bytes(serialization.Encoding.PEM)


def _write(path: Path, text: bytes) -> None:
    """Readable by nobody else, and never half there."""
    draft = path.with_suffix(".new")
    draft.unlink(missing_ok=True)
    with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    os.replace(draft, path)
