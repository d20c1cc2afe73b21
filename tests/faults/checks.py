"""What a fault run must show, and what it did show."""

from __future__ import annotations

from collections.abc import Collection, Hashable
from dataclasses import dataclass, field
from itertools import islice

_SHOWN = 3


@dataclass(slots=True)
class Checks:
    """Collects figures and failures of one fault; no failure means PASS."""

    figures: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    def figure(self, text: str) -> None:
        """Something worth knowing, whatever the verdict."""
        self.figures.append(text)

    def expect(self, holds: bool, otherwise: str) -> None:
        """A failure, in the words of `otherwise`, unless it holds."""
        if not holds:
            self.failures.append(otherwise)

    def equal(self, what: str, got: object, wanted: object) -> None:
        """A failure unless both are equal."""
        self.expect(got == wanted, f"{what}: {got!r} instead of {wanted!r}")

    def same_members(
        self, what: str, got: Collection[Hashable], wanted: Collection[Hashable]
    ) -> None:
        """A failure unless both hold the same, each as often as a set holds it: once."""
        unique, required = set(got), set(wanted)
        self.expect(len(got) == len(unique), f"{what}: {len(got) - len(unique)} more than once")
        self.expect(not required - unique, f"{what}: missing {_some(required - unique)}")
        self.expect(not unique - required, f"{what}: unexpected {_some(unique - required)}")

    def same_values(
        self, what: str, got: dict[Hashable, object], wanted: dict[Hashable, object]
    ) -> None:
        """A failure unless keys and values are equal; floats to the last bit."""
        self.same_members(what, list(got), list(wanted))
        other = [key for key in got.keys() & wanted.keys() if got[key] != wanted[key]]
        shown = "; ".join(f"{k}: {got[k]} instead of {wanted[k]}" for k in other[:_SHOWN])
        self.expect(not other, f"{what}: {len(other)} differ, such as {shown}")


def _some(members: set[Hashable]) -> str:
    shown = ", ".join(str(member) for member in islice(members, _SHOWN))
    return f"{len(members)}, such as {shown}" if members else "none"
