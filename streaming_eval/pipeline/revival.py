"""Starts a query anew that ended because the machine had too much else to do."""

from __future__ import annotations

import logging
from collections.abc import Callable

from pyspark.sql.streaming.query import StreamingQuery

_LOG = logging.getLogger(__name__)
_MOST = 4
# Spark gives each Python process of a query's own ten seconds to report, a number that cannot be
# set. They begin with the query and its first batch; nothing of that batch has been written then.
_TOO_SLOW = "Python worker failed to connect back"


class Revival:
    """Starts a query anew on the same checkpoint where that may help, at most four times.

    Args:
        name: of the query.
        start: starts it.
    """

    def __init__(self, name: str, start: Callable[[], StreamingQuery]) -> None:
        self._name, self._start, self._left = name, start, _MOST

    def again(self, ended: StreamingQuery) -> StreamingQuery | None:
        """The query in place of one that has ended; None for another, or another reason."""
        if ended.name != self._name or _TOO_SLOW not in str(ended.exception()) or not self._left:
            return None
        self._left -= 1
        _LOG.warning("%s: its Python process was not there in 10 s; once more", ended.name)
        return self._start()
