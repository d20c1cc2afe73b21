"""Is there room for the job here: its secrets, storage, port and number of series?"""

from __future__ import annotations

import shutil
import socket
import tempfile
from collections.abc import Mapping

from streaming_eval.configuration.secrets import missing_secrets
from streaming_eval.local.doctor.finding import Finding, fail, ok, warn
from streaming_eval.pipeline.series_counts import series_limit
from streaming_eval.settings import Settings
from streaming_eval.settings.fields import dotted

_LITTLE_SPACE_BYTES = 2 * 1024**3


def secrets(settings: Settings, environ: Mapping[str, str]) -> list[Finding]:
    """Whether every secret that the configuration names is there."""
    missing = missing_secrets(settings, environ)
    if not missing:
        return [ok("secrets", "all that are named are there")]
    return [fail(f"secrets: {dotted(p.path)}", p.message, f"provide {p.allowed}") for p in missing]


def storage(settings: Settings, environ: Mapping[str, str]) -> list[Finding]:
    """Whether state can be written, and how much space there is."""
    root = settings.storage.root
    existing = next(path for path in (root.absolute(), *root.absolute().parents) if path.exists())
    try:
        # Permissions alone say little on network and read-only file systems.
        with tempfile.TemporaryFile(dir=existing):
            free = shutil.disk_usage(existing).free
    except OSError as error:
        reason = f"{existing} cannot be written: {error.strerror}"
        return [fail("storage", reason, "correct its permissions, or change storage.root")]
    detail = f"{root}: {free / 1024**3:.1f} GiB free"
    if free < _LITTLE_SPACE_BYTES:
        return [warn("storage", detail, "make space, or change storage.root")]
    return [ok("storage", detail)]


def exporter(settings: Settings, environ: Mapping[str, str]) -> list[Finding]:
    """Whether the exporter can listen where it should."""
    address = (settings.exporter.host, settings.exporter.port)
    shown = "{}:{}".format(*address)
    try:
        family, kind, _, _, where = socket.getaddrinfo(*address, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind) as server:
            server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            server.bind(where)
    except OSError as error:
        remedy = "end what listens there, or change exporter.host or exporter.port"
        return [fail("exporter", f"{shown}: {error.strerror}", remedy)]
    return [ok("exporter", f"{shown} is free")]


def series(settings: Settings, environ: Mapping[str, str]) -> list[Finding]:
    """Whether all series that can exist fit into the budget."""
    possible, most = series_limit(settings), settings.monitor.max_series
    if possible > most:
        remedy = "raise monitor.max_series, or list fewer segment values"
        return [fail("series", f"{possible} are possible, {most} are allowed", remedy)]
    return [ok("series", f"at most {possible} of {most}")]
