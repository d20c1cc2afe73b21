"""The librdkafka security properties of the configuration in the words of Spark's Java client."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from streaming_eval.errors import SettingsError

_LOGIN_MODULES = MappingProxyType(
    {
        "PLAIN": "org.apache.kafka.common.security.plain.PlainLoginModule",
        "SCRAM-SHA-256": "org.apache.kafka.common.security.scram.ScramLoginModule",
        "SCRAM-SHA-512": "org.apache.kafka.common.security.scram.ScramLoginModule",
    }
)
_SAME = ("security.protocol", "ssl.endpoint.identification.algorithm")
_MECHANISM = ("sasl.mechanism", "sasl.mechanisms")
_KNOWN = (
    *_SAME,
    *_MECHANISM,
    "sasl.username",
    "sasl.password",
    "ssl.ca.location",
    "ssl.certificate.location",
    "ssl.key.location",
    "ssl.key.password",
)


def java_security(security: Mapping[str, str]) -> dict[str, str]:
    """Properties for Spark's Kafka source that mean what `security` means to librdkafka.

    Args:
        security: resolved librdkafka properties.

    Raises:
        SettingsError: a property or mechanism that cannot be translated; names those that can.
    """
    unknown = sorted(security.keys() - set(_KNOWN))
    if unknown:
        raise SettingsError(
            f"kafka.security: {', '.join(unknown)} cannot be used; allowed: {', '.join(_KNOWN)}"
        )
    java = {name: security[name] for name in _SAME if name in security}
    return java | _login(security) | _certificates(security)


def _login(security: Mapping[str, str]) -> dict[str, str]:
    mechanism = next((security[name] for name in _MECHANISM if name in security), None)
    if mechanism is None:
        return {}
    if mechanism not in _LOGIN_MODULES:
        allowed = ", ".join(_LOGIN_MODULES)
        raise SettingsError(f"kafka.security.sasl.mechanism: {mechanism}; allowed: {allowed}")
    user, password = (_quoted(security.get(f"sasl.{n}", "")) for n in ("username", "password"))
    jaas = f"{_LOGIN_MODULES[mechanism]} required username={user} password={password};"
    return {"sasl.mechanism": mechanism, "sasl.jaas.config": jaas}


def _certificates(security: Mapping[str, str]) -> dict[str, str]:
    java: dict[str, str] = {}
    if "ssl.ca.location" in security:
        java |= {
            "ssl.truststore.type": "PEM",
            "ssl.truststore.certificates": _text(security["ssl.ca.location"]),
        }
    if "ssl.certificate.location" in security:
        java |= {
            "ssl.keystore.type": "PEM",
            "ssl.keystore.certificate.chain": _text(security["ssl.certificate.location"]),
            "ssl.keystore.key": _text(security.get("ssl.key.location", "")),
        }
    if "ssl.key.password" in security:
        java["ssl.key.password"] = security["ssl.key.password"]
    return java


def _quoted(text: str) -> str:
    """A JAAS string: quoted, so that no character of a password can end it."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _text(path: str) -> str:
    try:
        return Path(path).read_text()
    except OSError as error:
        raise SettingsError(f"kafka.security: {path} cannot be read: {error.strerror}") from None
