"""Do the services answer: Kafka with its topics, each endpoint with its models?"""

from __future__ import annotations

import http.client
import json
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.message import Message
from typing import IO

from streaming_eval.adapters.json_api import Extras
from streaming_eval.adapters.kafka import resolve_security
from streaming_eval.adapters.kafka_admin import KafkaAdmin
from streaming_eval.adapters.model_apis import MODEL_APIS
from streaming_eval.configuration.secrets import from_file, from_variable
from streaming_eval.errors import SettingsError
from streaming_eval.local.doctor.finding import Finding, fail, ok, warn
from streaming_eval.settings import EndpointSettings, Settings

_TIMEOUT_S = 5.0
_LONGEST_LIST_BYTES = 4 * 1024**2
_REFUSED = (401, 403)
_NO_LIST = (404, 405, 501)
_BUSY = 429


@dataclass(frozen=True, slots=True)
class Reply:
    """An HTTP status and the body that came with it, empty when the status is an error."""

    status: int
    body: bytes = b""


def kafka(
    settings: Settings,
    environ: Mapping[str, str],
    connect: Callable[[str, Mapping[str, str]], KafkaAdmin] = KafkaAdmin,
) -> list[Finding]:
    """Whether the brokers answer and both topics exist; the job needs only that of samples."""
    source = settings.kafka
    servers = source.bootstrap_servers
    try:
        security = resolve_security(source.security, environ)
    except SettingsError as error:
        return [fail("kafka", str(error), "provide the secret that kafka.security names")]
    admin = connect(servers, security)
    if not admin.answers(_TIMEOUT_S):
        remedy = "start Kafka, or correct kafka.bootstrap_servers and kafka.security"
        return [fail("kafka", f"{servers} does not answer within {_TIMEOUT_S:g} s", remedy)]
    partitions = admin.partitions(_TIMEOUT_S)
    topics = [
        _topic(source.topic, partitions, fail, "does not exist"),
        # The job makes this one, if it may.
        _topic(source.dead_letter_topic, partitions, warn, "does not exist; run makes it"),
    ]
    return [ok("kafka", f"{servers} answers"), *topics]


def _topic(
    name: str,
    partitions: Mapping[str, int],
    found: Callable[[str, str, str], Finding],
    missing: str,
) -> Finding:
    if name in partitions:
        return ok(f"topic {name}", f"{partitions[name]} partitions")
    remedy = f"kafka-topics.sh --create --topic {name}, or correct its name under `kafka`"
    return found(f"topic {name}", missing, remedy)


def endpoints(settings: Settings, environ: Mapping[str, str]) -> list[Finding]:
    """Whether every endpoint answers, takes its key and has the models that are wanted of it."""
    wanted: dict[str, set[str]] = {name: set() for name in settings.endpoints}
    asked = (model for s in settings.scorers for model in (s.judge, s.embedding) if model)
    for model in (*settings.candidates, *asked):
        wanted[model.endpoint].add(model.model)
    return [
        _endpoint(f"endpoint {name}", endpoint, wanted[name], environ)
        for name, endpoint in settings.endpoints.items()
    ]


def _endpoint(
    check: str, endpoint: EndpointSettings, wanted: set[str], environ: Mapping[str, str]
) -> Finding:
    url = endpoint.base_url
    try:
        reply = _models(endpoint, environ)
    except SettingsError as error:
        return fail(check, str(error), "provide the key, or name another source of it")
    except (OSError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", None) or str(error) or type(error).__name__
        return fail(check, f"{url} does not answer: {reason}", "start it, or correct its base_url")
    if reply.status in _REFUSED:
        remedy = "correct api_key_env or api_key_file"
        return fail(check, f"{url} refuses the key ({reply.status})", remedy)
    if reply.status in _NO_LIST:
        return warn(check, f"{url} answers, but lists no models", "make sure it ends as in /v1")
    if reply.status == _BUSY:
        return warn(check, f"{url} answers that it is busy (429)", "lower its max_in_flight")
    if reply.status >= http.client.MULTIPLE_CHOICES:
        return fail(check, f"{url}/models answers {reply.status}", "look into the endpoint's log")
    return _listed(check, url, reply.body, wanted)


def _listed(check: str, url: str, body: bytes, wanted: set[str]) -> Finding:
    try:
        served = _names(json.loads(body))
    except (ValueError, KeyError, TypeError):
        return warn(check, f"{url}/models is no list of models", "make sure base_url is an API")
    if missing := sorted(wanted - served):
        remedy = "correct `model`, unless the endpoint serves more than it lists"
        return warn(check, f"{url} does not list {', '.join(missing)}", remedy)
    return ok(check, f"{url} answers, {len(served)} models")


def _names(listed: dict[str, list[dict[str, object]]]) -> set[str]:
    """The models of a list; Gemini's has names such as `models/gemini-2.5-flash`."""
    if "data" in listed:
        return {str(model["id"]) for model in listed["data"]}
    return {str(model["name"]).removeprefix("models/") for model in listed["models"]}


def _models(endpoint: EndpointSettings, environ: Mapping[str, str]) -> Reply:
    key = None
    if endpoint.api_key_env:
        key = from_variable(endpoint.api_key_env, environ)
    elif endpoint.api_key_file:
        key = from_file(endpoint.api_key_file)
    extras = Extras(endpoint.headers, endpoint.query, endpoint.key_header)
    headers = MODEL_APIS[endpoint.api].request_headers(key, extras)
    query = f"?{urllib.parse.urlencode(endpoint.query)}" if endpoint.query else ""
    address = f"{endpoint.base_url.rstrip('/')}/models{query}"
    request = urllib.request.Request(address, headers=headers)
    try:
        with urllib.request.build_opener(_NoRedirect).open(request, timeout=_TIMEOUT_S) as reply:
            return Reply(reply.status, reply.read(_LONGEST_LIST_BYTES))
    except urllib.error.HTTPError as error:
        with error:
            return Reply(error.code)


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """Answers a redirect as it is: followed, it would carry the key to another host."""

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: Message,
        newurl: str,
    ) -> None:
        return None
