"""SIGKILL at many moments, against an undisturbed run of the same topic."""

from __future__ import annotations

from collections.abc import Sequence

from streaming_eval.local.endpoint_process import RecordedEndpoint
from tests.faults.checks import Checks
from tests.faults.compare import (
    check_paid_once,
    check_same_alerts,
    check_same_conclusions,
    check_same_scores,
    check_scored_once,
)
from tests.faults.killing import Kill, run_killed, run_undisturbed
from tests.faults.moments import schedule
from tests.faults.options import Options
from tests.faults.site import Place, Site
from tests.faults.topic import replayed, sample_ids

_LATENCY_MS = 75.0
_IN_FLIGHT = 64
_BATCHES = 20
_STEP_MS = 10  # 5-second panes of 500 samples
_ENOUGH_FOR_AN_ALARM = 15_000


def kill(site: Site, options: Options, checks: Checks) -> None:
    """Kills one of two runs of the same samples; both must come to the same."""
    topic = site.topic("faults.kill")
    records = replayed(options.samples, "k", seed=options.seed, step_ms=_STEP_MS, swap=True)
    site.produce(topic, records)
    moments = schedule(options.kills, options.seed)
    # The endpoint's address is part of every cache key, so both runs ask at the same one.
    with site.endpoint("undisturbed", _LATENCY_MS) as endpoint:
        undisturbed = _place(site, "undisturbed", topic, endpoint, options)
        seconds = run_undisturbed(undisturbed)
        options.say(f"undisturbed run: {seconds:.0f} s")
    with site.endpoint("killed", _LATENCY_MS, port=endpoint.port) as endpoint:
        killed = _place(site, "killed", topic, endpoint, options)
        kills = run_killed(killed, endpoint, moments, options.say)
    _check_kills(checks, kills, killed)
    for place, kills_ns in ((undisturbed, []), (killed, [k.at_ns for k in kills])):
        check_scored_once(checks, place, sample_ids(records))
        check_paid_once(checks, place, in_flight=_IN_FLIGHT, kills_ns=kills_ns)
    check_same_scores(checks, killed, undisturbed)
    check_same_conclusions(checks, killed, undisturbed)
    enough = options.samples >= _ENOUGH_FOR_AN_ALARM
    check_same_alerts(checks, killed, undisturbed, at_least=1 if enough else 0)


def _place(
    site: Site, name: str, topic: str, endpoint: RecordedEndpoint, options: Options
) -> Place:
    settings = {
        "kafka.max_records_per_trigger": max(options.samples // _BATCHES, 50),
        "endpoints.recorded.max_in_flight": _IN_FLIGHT,
        "monitor.baseline.samples": max(options.samples // 5, 100),
        "monitor.allowed_lateness": "30s",
        # Forgets samples at once, or its memory would hide a batch that is committed twice.
        "limits.deduplication_horizon": "1s",
    }
    return site.place(name, topic, endpoint, settings)


def _check_kills(checks: Checks, kills: Sequence[Kill], place: Place) -> None:
    aimed = [k for k in kills if k.reached]
    early = [k for k in kills if k.after_s <= 15.5]
    with_calls = [k for k in kills if k.in_flight]
    restarts = [k.first_commit_s for k in kills if k.first_commit_s is not None]
    checks.figure(
        f"{len(kills)} kills, {len(early)} in the first 15 s, {len(aimed)} where aimed, "
        f"{len(with_calls)} with calls in flight"
    )
    if restarts:
        checks.figure(f"{max(restarts):.0f} s at most from start to first committed batch")
    survivors = sum(k.survivors for k in kills)
    checks.equal("processes that outlived their driver by 5 s", survivors, 0)
    checks.expect(len(early) >= min(2, len(kills)), "fewer than two kills in the first 15 s")
    checks.expect(
        "left behind by a kill before the first batch" in (place.directory / "job.log").read_text(),
        "the planted orphan of the offset log was never reported as removed",
    )
