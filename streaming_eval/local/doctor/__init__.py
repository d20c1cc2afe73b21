"""Is everything there that a configuration needs? Every check at once, each with its remedy."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

from streaming_eval.local.doctor.finding import Check, Finding, Status, fail
from streaming_eval.local.doctor.machine import jars, java, packages, prometheus
from streaming_eval.local.doctor.place import exporter, secrets, series, storage
from streaming_eval.local.doctor.services import endpoints, kafka
from streaming_eval.settings import Settings

__all__ = ["CHECKS", "Finding", "Status", "examine"]

CHECKS: tuple[Check, ...] = (
    java, packages, jars, kafka, endpoints, secrets, storage, exporter, series, prometheus,
)  # fmt: skip


def examine(
    settings: Settings, environ: Mapping[str, str], checks: tuple[Check, ...] = CHECKS
) -> list[Finding]:
    """What every check found, in the order of the checks; nothing is changed by looking.

    Args:
        settings: a valid configuration.
        environ: variables that it names, PATH and JAVA_HOME.
        checks: which; they run at the same time.
    """
    with ThreadPoolExecutor(len(checks)) as pool:
        found = pool.map(lambda check: _guarded(check, settings, environ), checks)
        return [finding for findings in found for finding in findings]


def _guarded(check: Check, settings: Settings, environ: Mapping[str, str]) -> list[Finding]:
    try:
        return check(settings, environ)
    # A check that breaks must not hide what the others found.
    except Exception as error:
        detail = f"could not be checked: {type(error).__name__}: {error}"
        return [fail(check.__name__, detail, "look at the message; it may name a wrong setting")]
