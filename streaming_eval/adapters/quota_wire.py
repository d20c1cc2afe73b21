"""How asks and grants travel: JSON over HTTP, each ask signed with the run's secret.

The signature is HMAC-SHA-256 (RFC 2104) over the body, so the secret itself never travels. Nothing
is believed before the signature fits, and then only within the bounds of `quota_messages`.
"""

from __future__ import annotations

import hmac
import secrets
from dataclasses import dataclass, field

from pydantic import TypeAdapter, ValidationError

from streaming_eval.inference.quota.messages import Ask, Grant

PATH = "/v1/quota"
SIGNATURE = "X-Signature"
MAX_ASK_BYTES = 2**18
MAX_GRANT_BYTES = 2**22

_ASK, _GRANT = TypeAdapter(Ask), TypeAdapter(Grant)


@dataclass(frozen=True, slots=True)
class QuotaAddress:
    """Where the driver's quota is reached and what opens it; meant for the workers of one run."""

    url: str
    secret: str = field(repr=False)


def new_secret() -> str:
    """256 random bits, for one run."""
    return secrets.token_urlsafe(32)


def sign(secret: str, body: bytes) -> str:
    """The signature of an ask."""
    return hmac.digest(secret.encode(), body, "sha256").hex()


def signed(secret: str, body: bytes, signature: str) -> bool:
    """Whether the signature is the secret's, found out in constant time."""
    return hmac.compare_digest(sign(secret, body).encode(), signature.encode())


def encode_ask(ask: Ask) -> bytes:
    """JSON; what an ask leaves at its default stays out."""
    return _ASK.dump_json(ask, exclude_defaults=True)


def decode_ask(body: bytes) -> Ask | None:
    """The inverse; None where the bytes are no ask."""
    try:
        return _ASK.validate_json(body, strict=True)
    except ValidationError:
        return None


def encode_grant(grant: Grant) -> bytes:
    """JSON."""
    return _GRANT.dump_json(grant)


def decode_grant(body: bytes) -> Grant | None:
    """The inverse; None where the bytes are no grant."""
    try:
        return _GRANT.validate_json(body, strict=True)
    except ValidationError:
        return None
