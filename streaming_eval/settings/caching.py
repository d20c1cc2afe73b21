"""When a stored answer is used instead of a call."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from streaming_eval.settings.fields import DurationMs, Section


class CacheSettings(Section):
    """What the cache of paid answers may do; `docs/cache.md` has the rules."""

    policy: Literal["read_write", "read_only", "refresh", "replay", "off"] = Field(
        default="read_write",
        description="`read_write` pays for each request once; `read_only` keeps nothing new; "
        "`refresh` asks everything once anew, from the start of the job on; `replay` takes answers "
        "only from the cache, a miss fails; `off` always asks",
    )
    max_age: DurationMs | None = Field(
        default=None,
        description="an answer that is older is asked for again and replaced; no limit when absent",
    )
    serve_stale: bool = Field(
        default=False,
        description="whether an answer that is too old is used when asking again fails",
    )
