"""Is this machine equipped: Java, the tested packages, the jars, Prometheus?"""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping
from importlib import metadata

from streaming_eval import versions
from streaming_eval.adapters.jars import jar_cache, read_lock
from streaming_eval.adapters.java import find_java, major_version
from streaming_eval.errors import EnvironmentProblem
from streaming_eval.local.doctor.finding import Finding, fail, ok, warn
from streaming_eval.settings import Settings

# Spark state dies without a useful word on a wrong one of these; of the rest another may do.
_ESSENTIAL = {"pyspark", "delta-spark", "protobuf", "pandas", "pyarrow"}
_PIN = re.compile(r"([\w.-]+)==([\w.]+)$")
_USED_BY = {"spark": "the job", "kafka": "the demo's broker"}


def java(settings: Settings, environ: Mapping[str, str]) -> list[Finding]:
    """Whether a Java is there that Spark runs on."""
    try:
        found = find_java(environ)
    except EnvironmentProblem as error:
        remedy = f"install a JRE of version {versions.JAVA_MINIMUM} or later, or set JAVA_HOME"
        return [fail("java", str(error), remedy)]
    return [ok("java", f"version {major_version(found)}, {found}")]


def packages(settings: Settings, environ: Mapping[str, str]) -> list[Finding]:
    """Whether the Python packages are the ones that were tested together."""
    pins = _pins() | {"pyspark": versions.SPARK, "delta-spark": versions.DELTA}
    wrong = [_mismatch(name, wanted) for name, wanted in sorted(pins.items())]
    findings = [finding for finding in wrong if finding is not None]
    return findings or [ok("packages", f"{len(pins)} packages of the tested versions")]


def _pins() -> dict[str, str]:
    required = metadata.requires("streaming-eval") or []
    return {pin[1].lower(): pin[2] for text in required if (pin := _PIN.match(text))}


def _mismatch(name: str, wanted: str) -> Finding | None:
    try:
        found = metadata.version(name)
    except metadata.PackageNotFoundError:
        found = "not installed"
    if found == wanted:
        return None
    say = fail if name in _ESSENTIAL else warn
    return say(
        "packages", f"{name} is {found}, tested with {wanted}", f"pip install {name}=={wanted}"
    )


def jars(settings: Settings, environ: Mapping[str, str]) -> list[Finding]:
    """Whether the jars are cached; the first start fetches them otherwise."""
    findings = []
    for name, user in _USED_BY.items():
        wanted = read_lock(name)
        directory = jar_cache() / wanted.identity
        missing = [jar for jar in wanted.checksums if not (directory / jar.file_name).is_file()]
        if missing:
            detail = f"{len(missing)} of {len(wanted.checksums)} are not cached in {directory}"
            remedy = f"`make setup`; else the first start of {user} fetches them (needs a network)"
            findings.append(warn(f"jars: {name}", detail, remedy))
        else:
            findings.append(ok(f"jars: {name}", f"{len(wanted.checksums)} cached in {directory}"))
    return findings


def prometheus(settings: Settings, environ: Mapping[str, str]) -> list[Finding]:
    """Whether a Prometheus is installed here; only the demo and the tests start one."""
    found = shutil.which("prometheus", path=environ.get("PATH"))
    if found:
        return [ok("prometheus", found)]
    remedy = "install Debian's package `prometheus`, if the demo is to show alerts firing"
    return [warn("prometheus", "not found on PATH", remedy)]
