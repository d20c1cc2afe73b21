"""Every error this package raises on purpose.

StreamingEvalError
├── SettingsError          the configuration is wrong; names file, key and allowed values
├── EnvironmentProblem     the machine lacks something (Java, jars, a free port); says how to get it
├── RecordError            one record cannot be a sample; becomes a dead letter with `reason`
├── StorageError           a table or checkpoint is not what it must be
├── DecisionError          what a person wants to decide does not exist, or not any more
└── InferenceError         one model call failed
    ├── RetryableError     the call may succeed later
    └── PermanentError     the call will not succeed as it stands
        └── AskedElsewhere another process asks the same, or has been answered just now
"""


class StreamingEvalError(Exception):
    """Base of all errors that a user can act upon; printed without a traceback."""


class SettingsError(StreamingEvalError):
    """The configuration is wrong."""


class EnvironmentProblem(StreamingEvalError):  # noqa: N818 - reads better at its raise sites
    """The machine lacks something that this program needs."""


class RecordError(StreamingEvalError):
    """One record cannot be a sample.

    Args:
        reason: one of the bounded set of dead-letter reasons (snake case; a Prometheus label).
        message: what exactly was wrong, without the record's content.
    """

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message


class StorageError(StreamingEvalError):
    """A table, a checkpoint or the spool is not what it must be."""


class DecisionError(StreamingEvalError):
    """A baseline or alert that a person decides about is not there, or does not fit any more."""


class InferenceError(StreamingEvalError):
    """One model call failed.

    Args:
        reason: bounded snake-case class of failure, e.g. `http_429`, `timeout`, `empty_choices`.
        message: detail for people; never holds a credential.
    """

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message


class RetryableError(InferenceError):
    """The call may succeed later; `retry_after_s` is the server's own wish, when it gave one."""

    def __init__(self, reason: str, message: str, retry_after_s: float | None = None) -> None:
        super().__init__(reason, message)
        self.retry_after_s = retry_after_s


class PermanentError(InferenceError):
    """The call will not succeed as it stands, so it is never repeated."""


class AskedElsewhere(PermanentError):  # noqa: N818 - says nothing against the call
    """Another process asks the same, or has been answered just now, so nothing was sent."""

    def __init__(self) -> None:
        super().__init__("asked_elsewhere", "another process asks the same")
