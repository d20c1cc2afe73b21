"""What a call must end with when the endpoint has a given fault."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from streaming_eval.local.behaviour import Fault

REASONS: Mapping[Fault, str] = MappingProxyType(
    {
        Fault.SERVER_ERROR: "http_500",
        Fault.UNAVAILABLE: "http_503",
        Fault.CONNECTION_RESET: "connection",
        Fault.RATE_LIMITED: "http_429",
        Fault.RATE_LIMITED_SILENTLY: "http_429",
        Fault.LATE: "timeout",
        Fault.NO_ANSWER: "timeout",
        Fault.SLOW_LORIS: "timeout",
        Fault.TRUNCATED_JSON: "bad_json",
        Fault.WRONG_CONTENT_TYPE: "wrong_content_type",
        Fault.EMPTY_CHOICES: "empty_choices",
        Fault.HTML_PAGE: "wrong_content_type",
        Fault.ERROR_OBJECT: "error_in_200",
        Fault.GARBAGE: "bad_json",
        Fault.NOT_HTTP: "bad_http",
        Fault.HUGE_BODY: "too_large",
        Fault.ENDLESS_BODY: "too_large",
        Fault.GZIP_BOMB: "wrong_content_encoding",
        Fault.BAD_CHUNKING: "bad_http",
        Fault.HUGE_HEADER: "bad_http",
        Fault.REDIRECT: "redirect",
    }
)
