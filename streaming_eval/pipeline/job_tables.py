"""The tables of a job, for whoever looks at them from outside it."""

from __future__ import annotations

from streaming_eval.adapters.tables import Tables
from streaming_eval.errors import StorageError
from streaming_eval.settings import StorageSettings


def own_tables(storage: StorageSettings) -> Tables:
    """The tables, for one thread or process; those that do not exist are made."""
    shared = storage.responses
    places = {} if shared is None else {"responses": shared.absolute()}
    return Tables(storage.root.absolute(), places=places)


def existing_tables(storage: StorageSettings) -> Tables:
    """The tables of a job that has run.

    Raises:
        StorageError: none has run under this root.
    """
    if not (storage.root / "tables" / "scores").is_dir():
        raise StorageError(
            f"no job has run under {storage.root}: it has no table of scores; storage.root says "
            "where it is looked for"
        )
    return own_tables(storage)
