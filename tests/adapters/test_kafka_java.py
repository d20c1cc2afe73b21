"""One set of security settings serves both Kafka clients."""

from __future__ import annotations

from pathlib import Path

import pytest

from streaming_eval.adapters.kafka_java import java_security
from streaming_eval.errors import SettingsError


def test_user_and_password_become_a_login_module() -> None:
    java = java_security(
        {
            "security.protocol": "SASL_SSL",
            "sasl.mechanism": "SCRAM-SHA-512",
            "sasl.username": "reader",
            "sasl.password": "secret",
        }
    )
    assert java["security.protocol"] == "SASL_SSL"
    assert java["sasl.jaas.config"] == (
        "org.apache.kafka.common.security.scram.ScramLoginModule required "
        'username="reader" password="secret";'
    )


def test_a_password_cannot_end_its_own_string() -> None:
    java = java_security(
        {"sasl.mechanism": "PLAIN", "sasl.username": "u", "sasl.password": 'a"; evil="\\'}
    )
    assert java["sasl.jaas.config"].endswith('password="a\\"; evil=\\"\\\\";')


def test_certificates_are_handed_over_as_pem(tmp_path: Path) -> None:
    for name in ("ca", "chain", "key"):
        (tmp_path / name).write_text(f"PEM of {name}")
    java = java_security(
        {
            "security.protocol": "SSL",
            "ssl.ca.location": str(tmp_path / "ca"),
            "ssl.certificate.location": str(tmp_path / "chain"),
            "ssl.key.location": str(tmp_path / "key"),
        }
    )
    assert java["ssl.truststore.type"] == java["ssl.keystore.type"] == "PEM"
    assert java["ssl.truststore.certificates"] == "PEM of ca"
    assert java["ssl.keystore.certificate.chain"] == "PEM of chain"
    assert java["ssl.keystore.key"] == "PEM of key"


@pytest.mark.parametrize(
    ("security", "named"),
    [
        ({"sasl.kerberos.keytab": "x"}, "sasl.kerberos.keytab"),
        ({"sasl.mechanism": "OAUTHBEARER"}, "SCRAM-SHA-512"),
        ({"ssl.ca.location": "/nowhere/ca.pem"}, "/nowhere/ca.pem"),
    ],
)
def test_what_cannot_be_translated_is_named(security: dict[str, str], named: str) -> None:
    with pytest.raises(SettingsError, match=named):
        java_security(security)


def test_nothing_set_is_nothing_sent() -> None:
    assert java_security({}) == {}
