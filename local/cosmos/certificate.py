"""A certificate for this machine, made at the first start with TLS and kept beside the data."""

from __future__ import annotations

import ipaddress
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

_VALID = timedelta(days=825)  # clients refuse certificates that are valid for longer
_RENEW = timedelta(days=30)


def certificate(directory: Path) -> tuple[Path, Path]:
    """The files of the certificate and of its key; made anew when it is about to expire."""
    public, private = directory / "certificate.pem", directory / "certificate-key.pem"
    if not (public.exists() and private.exists() and _is_valid(public)):
        directory.mkdir(parents=True, exist_ok=True)
        _make(public, private)
    return public, private


def _is_valid(file: Path) -> bool:
    kept = x509.load_pem_x509_certificate(file.read_bytes())
    return kept.not_valid_after_utc > datetime.now(UTC) + _RENEW


def _make(public: Path, private: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    addresses = [x509.IPAddress(ipaddress.ip_address(address)) for address in ("127.0.0.1", "::1")]
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=5))
        .not_valid_after(now + _VALID)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost"), *addresses]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    with os.fdopen(os.open(private, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(secret)
    public.write_bytes(made.public_bytes(serialization.Encoding.PEM))
