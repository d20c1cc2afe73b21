"""Fetches jars from Maven Central with the Apache Ivy that pyspark ships, as Spark itself does.

Neither Ivy's nor Maven's local cache is read or written: half-filled ones make Ivy fail with
"FAILED DOWNLOADS ... not found" although the jar is there to be had.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import getproxies
from xml.sax.saxutils import quoteattr

from streaming_eval.errors import EnvironmentProblem

Say = Callable[[str], None]

_FETCHED = re.compile(r"\[SUCCESSFUL ?\] (\S+?)!")
_COMPLAINT = re.compile(r"(module not found: \S+|\[FAILED *\] \S+|\S*(?:Exception|Error):? .*)")

_SETTINGS = """<ivysettings>
  <settings defaultResolver="central"/>
  <caches defaultCacheDir={cache}/>
  <resolvers><ibiblio name="central" m2compatible="true" usepoms={usepoms}{root}/></resolvers>
</ivysettings>
"""
_MODULE = """<ivy-module version="2.0">
  <info organisation="streaming-eval" module="jars"/>
  <configurations><conf name="default"/></configurations>
  <dependencies>
{dependencies}
  </dependencies>
</ivy-module>
"""


@dataclass(frozen=True, slots=True, order=True)
class Coordinates:
    """Names one Maven module, as `group:artifact:version`."""

    group: str
    artifact: str
    version: str

    @classmethod
    def parse(cls, text: str) -> Coordinates:
        """The inverse of `str`.

        >>> Coordinates.parse("io.delta:delta-storage:4.4.0").file_name
        'delta-storage-4.4.0.jar'
        """
        return cls(*text.split(":"))

    def __str__(self) -> str:
        return f"{self.group}:{self.artifact}:{self.version}"

    @property
    def file_name(self) -> str:
        return f"{self.artifact}-{self.version}.jar"


@dataclass(frozen=True, slots=True)
class Ivy:
    """How to run Ivy.

    Attributes:
        java: the Java runtime.
        scratch: an existing directory for settings and cache; the caller removes it.
        mirror: URL of a repository to use in place of Maven Central; None for the latter.
    """

    java: Path
    scratch: Path
    mirror: str | None = None

    def retrieve(self, jars: Sequence[Coordinates], directory: Path, say: Say) -> None:
        """Puts exactly these jars, without what they depend on, into the directory."""
        dependencies = [_dependency(jar, transitive=False) for jar in jars]
        self._run(dependencies, directory / "[artifact]-[revision].[ext]", say, usepoms=False)

    def resolve(
        self, roots: Sequence[Coordinates], excluded: Sequence[str], directory: Path, say: Say
    ) -> list[Coordinates]:
        """Puts these modules and all they need at run time into the directory; returns the names.

        Args:
            roots: the modules wanted.
            excluded: artifact names that are left out with all that only they need.
            directory: where the jars go.
            say: told of each jar.
        """
        dependencies = [_dependency(root, transitive=True) for root in roots]
        dependencies += [f"<exclude module={quoteattr(name)}/>" for name in excluded]
        pattern = directory / "[organisation]" / "[artifact]" / "[revision]" / "[artifact].[ext]"
        self._run(dependencies, pattern, say, usepoms=True)
        found = (jar.relative_to(directory).parts for jar in directory.glob("*/*/*/*.jar"))
        return sorted(Coordinates(*parts[:3]) for parts in found)

    def _run(self, dependencies: Sequence[str], pattern: Path, say: Say, *, usepoms: bool) -> None:
        module, settings = self.scratch / "ivy.xml", self.scratch / "ivysettings.xml"
        module.write_text(_MODULE.format(dependencies="\n".join(dependencies)))
        settings.write_text(
            _SETTINGS.format(
                cache=quoteattr(str(self.scratch / "cache")),
                usepoms=quoteattr(str(usepoms).lower()),
                root=f" root={quoteattr(self.mirror)}" if self.mirror else "",
            )
        )
        ivy = [str(self.java), *proxy_options(), "-jar", str(ivy_jar())]
        inputs = ["-settings", str(settings), "-ivy", str(module), "-types", "jar", "bundle"]
        _follow([*ivy, *inputs, "-retrieve", str(pattern)], say)


def ivy_jar() -> Path:
    """The Ivy among pyspark's own jars."""
    return next(spark_distribution().glob("ivy-*.jar"))


def spark_distribution() -> Path:
    """The directory of jars that pyspark ships."""
    spec = find_spec("pyspark")
    if spec is None or spec.origin is None:
        raise EnvironmentProblem("pyspark is not installed, and with it the Ivy that fetches jars.")
    return Path(spec.origin).parent / "jars"


def _dependency(jar: Coordinates, *, transitive: bool) -> str:
    return (
        f"<dependency org={quoteattr(jar.group)} name={quoteattr(jar.artifact)} "
        f'rev={quoteattr(jar.version)} conf="default->default" '
        f'transitive="{str(transitive).lower()}"/>'
    )


def proxy_options() -> list[str]:
    """Java ignores the proxy variables that pip and curl obey; this says the same to Java."""
    proxy = urlsplit(getproxies().get("https", ""))
    if not proxy.hostname:
        return []
    return [f"-Dhttps.proxyHost={proxy.hostname}", f"-Dhttps.proxyPort={proxy.port or 8080}"]


def _follow(command: Sequence[str], say: Say) -> None:
    complaints: list[str] = []
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
    ) as ivy:
        for line in ivy.stdout or ():
            if fetched := _FETCHED.search(line):
                say(fetched[1].partition("#")[2].replace(";", " "))
            complaints += _COMPLAINT.findall(line)
    if ivy.returncode:
        raise EnvironmentProblem(_explain(list(dict.fromkeys(complaints))))


def _explain(complaints: Sequence[str]) -> str:
    first = complaints[0] if complaints else "Ivy gave no reason"
    more = f" and {len(complaints) - 1} more" if len(complaints) > 1 else ""
    return (
        f"jars could not be fetched ({first}{more}). Maven Central, or a mirror named by "
        "DEFAULT_ARTIFACT_REPOSITORY, must be reachable once. Half-filled local Maven or Ivy "
        "caches are not the cause: they are not used. Try again, or from another network."
    )
