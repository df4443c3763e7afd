"""Read by what an application proves itself: its client secret, or its certificate and key."""

from __future__ import annotations

from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from connectors.settings import Account, Secret, Strict
from model.errors import Misconfigured

Credential = str | dict[str, str]
"""What MSAL takes as client_credential: a secret, or "private_key" and "public_certificate" as PEM."""


@dataclass(frozen=True, slots=True)
class Registration:
    """State which application asks for tokens, where, and by what it proves itself. It holds no secret.

    Attributes:
        settings: the section of the configuration that has these fields; it names them in errors.
        account: fills {login} and {address} in the reference of a secret.
        endpoint: the URL of the token endpoint.
        endpoint_field: the name of the field that leads to the endpoint.
        client_id: the application's id.
        scope: what to ask for; blanks separate several.
        client_secret: the reference of the secret; None with a certificate.
        certificate_file: PEM: the certificate, and the RSA key unless key_file has it; None with a secret.
        key_file: PEM with the RSA key; None when certificate_file has it.
        key_password: opens the key; None for a key without a password.
        challenges: True if the caller answers claims challenges, so that tokens may live longer.
    """

    settings: Strict
    account: Account
    endpoint: str
    endpoint_field: str
    client_id: str
    scope: str
    client_secret: Secret | None
    certificate_file: str | None
    key_file: str | None = None
    key_password: Secret | None = None
    challenges: bool = False


def credential(registration: Registration) -> Credential:
    """Return what MSAL signs in with; files and secrets are read anew.

    Args:
        registration: the application.

    Raises:
        Misconfigured: a secret, a certificate or a key cannot be read; it names the field and the file.
    """
    if registration.certificate_file is None:
        return _secret(registration, registration.client_secret, "client_secret")
    return {"private_key": _private_key(registration), "public_certificate": _certificate(registration)}


def _secret(registration: Registration, secret: Secret | None, field: str) -> str:
    if secret is None:
        raise Misconfigured(registration.settings.where(field), "is needed")
    return secret.read(registration.account.login, registration.account.address).get_secret_value()


def _private_key(registration: Registration) -> str:
    """Return the RSA key as PEM, without a password."""
    settings = registration.settings
    field = "key_file" if registration.key_file else "certificate_file"
    where, path = settings.where(field), registration.key_file or registration.certificate_file
    pem = settings.readable(field)
    password = None
    if registration.key_password is not None:
        password = _secret(registration, registration.key_password, "key_password").encode()
    try:
        key = serialization.load_pem_private_key(pem, password)
    except (ValueError, TypeError):
        opens = "that key_password opens" if password is not None else "that opens without a password"
        elsewhere = "key_file" in type(settings).model_fields and not registration.key_file
        other = "; name another file in key_file" if elsewhere else ""
        raise Misconfigured(where, f"{path} holds no key (PEM) {opens}{other}") from None
    if not isinstance(key, rsa.RSAPrivateKey):
        raise Misconfigured(where, f"the key in {path} is not an RSA key")
    plain = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return plain.decode()


def _certificate(registration: Registration) -> str:
    """Return the certificate as PEM."""
    settings = registration.settings
    try:
        certificate = x509.load_pem_x509_certificate(settings.readable("certificate_file"))
    except ValueError:
        advice = f"{registration.certificate_file} holds no certificate (PEM)"
        raise Misconfigured(settings.where("certificate_file"), advice) from None
    return certificate.public_bytes(serialization.Encoding.PEM).decode()
