"""A stream of experiments: places, decisions that are made once, and how many finds are false."""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Sequence
from dataclasses import replace
from math import log
from pathlib import Path

import numpy as np
import pytest

from streaming_eval.adapters.experiment_log import ExperimentLog
from streaming_eval.adapters.lone_scores import Lone
from streaming_eval.adapters.tables import Tables
from streaming_eval.errors import DecisionError, SettingsError, StorageError
from streaming_eval.pipeline.score_rows import instant
from streaming_eval.results.comparing import ScorerVerdict, Verdict
from streaming_eval.results.experiment import Claim, Experiment, Outcome, Question
from streaming_eval.results.experiments import (
    close_experiment,
    experiments,
    needed,
    open_experiment,
)
from streaming_eval.stats.classical import paired_t
from streaming_eval.stats.comparison import Comparison, ScoreKind
from streaming_eval.stats.e_lond import ELond
from streaming_eval.stats.evidence import Evidence
from streaming_eval.stats.interval import Interval

QUESTION = Question("new", ("old-model",), Claim.WORSE)
BETTER = replace(QUESTION, claim=Claim.BETTER)
NOW = instant(1_700_000_000_000)
LATER = NOW + dt.timedelta(days=1)


@pytest.fixture
def book(tmp_path: Path) -> ExperimentLog:
    return ExperimentLog(Tables(tmp_path))


def verdict(
    worse: float, better: float = -3.0, scorer: str = "contains", *, directed: bool = True
) -> ScorerVerdict:
    """A comparison of 50 pairs with this log evidence now, and much more before."""
    found = Comparison(
        kind=ScoreKind.BOUNDED,
        n=50,
        measure="mean difference",
        effect=0.0,
        interval=Interval(-1.0, 1.0),
        worse=Evidence(worse, worse + 50.0),
        better=Evidence(better, better + 50.0),
        one_look=paired_t(np.zeros(3)),
        bootstrap=None,
    )
    return ScorerVerdict(scorer, "v1", found, directed, 1.0, 1.0, Lone(0, 0), Verdict.UNDECIDED)


def closed(book: ExperimentLog, name: str, *found: ScorerVerdict) -> Experiment:
    return close_experiment(book, name, lambda one: found, LATER)


def opened(book: ExperimentLog, *names: str, question: Question = QUESTION) -> None:
    for name in names:
        open_experiment(book, name, question, None if experiments(book) else 0.05, NOW)


def test_places_follow_the_openings_and_levels_the_finds_at_earlier_places(
    book: ExperimentLog,
) -> None:
    opened(book, "a", "b", "c")
    assert [(e.name, e.place, e.alpha) for e in experiments(book)] == [
        ("a", 1, 0.05),
        ("b", 2, 0.05),
        ("c", 3, 0.05),
    ]
    assert closed(book, "b", verdict(20.0)).outcome == Outcome(
        50, ("contains",), 20.0, -log(ELond(0.05, tested=1, found=0).alpha), found=True
    )
    levels = [needed(experiments(book), each) for each in experiments(book)]
    assert levels[0] == -log(ELond(0.05).alpha), "a later place's find does not help"
    assert levels[2] == -log(ELond(0.05, tested=2, found=1).alpha)


def test_a_closed_experiment_is_never_decided_again(book: ExperimentLog) -> None:
    opened(book, "a")
    first = closed(book, "a", verdict(1.0))
    assert first.outcome is not None
    assert not first.outcome.found
    again = close_experiment(book, "a", lambda one: pytest.fail("asked again"), NOW)
    assert again == first == experiments(book)[0]
    assert len(book.rows()) == 2


def test_opening_again_changes_nothing_and_another_question_is_refused(
    book: ExperimentLog,
) -> None:
    opened(book, "a", "b")
    again = open_experiment(book, "a", QUESTION, None, LATER)
    assert (again.place, again.opened_at) == (1, NOW)
    with pytest.raises(DecisionError, match="asks something else"):
        open_experiment(book, "a", BETTER, None, LATER)
    assert len(book.rows()) == 2


def test_the_evidence_is_that_of_now_and_the_mean_over_the_scorers(book: ExperimentLog) -> None:
    opened(book, "a", "b", "c")
    barely = needed(experiments(book), experiments(book)[0])
    one = closed(book, "a", verdict(barely + log(2) + 1e-9), verdict(-700.0, scorer="f1"))
    assert one.outcome is not None
    assert one.outcome.found
    assert one.outcome.scorers == ("contains", "f1")
    two = closed(book, "b", verdict(barely - 1.0), verdict(barely - 1.0, scorer="f1"))
    assert two.outcome is not None
    assert two.outcome.log_evidence == pytest.approx(barely - 1.0)
    assert not two.outcome.found, "though it was 50 higher before"


def test_what_is_neither_better_nor_worse_says_nothing_of_it(book: ExperimentLog) -> None:
    opened(book, "a", "b")
    length = verdict(900.0, scorer="response_chars", directed=False)
    one = closed(book, "a", verdict(-1.0), length)
    assert one.outcome is not None
    assert (one.outcome.scorers, one.outcome.log_evidence) == (("contains",), -1.0)
    with pytest.raises(SettingsError, match="response_chars"):
        closed(book, "b", length)
    assert experiments(book)[1].outcome is None


@pytest.mark.parametrize(
    ("question", "worse", "better", "passed"),
    [
        (QUESTION, 30.0, -30.0, False),
        (QUESTION, 0.0, 0.0, True),
        (BETTER, -30.0, 30.0, True),
        (BETTER, 30.0, -30.0, False),
        (BETTER, 0.0, 0.0, False),
    ],
)
def test_a_candidate_passes_unless_it_is_worse_or_once_it_is_better(
    book: ExperimentLog, question: Question, worse: float, better: float, passed: bool
) -> None:
    opened(book, "a", question=question)
    assert closed(book, "a", verdict(worse, better)).passed is passed


def test_alpha_is_fixed_by_the_first_experiment(book: ExperimentLog) -> None:
    for bad in (None, 0.0, 1.0):
        with pytest.raises(SettingsError, match="lies in"):
            open_experiment(book, "a", QUESTION, bad, NOW)
    open_experiment(book, "a", QUESTION, 0.1, NOW)
    with pytest.raises(SettingsError, match=r"is 0\.1, fixed by a"):
        open_experiment(book, "b", QUESTION, 0.2, NOW)
    assert open_experiment(book, "b", QUESTION, None, NOW).alpha == 0.1


@pytest.mark.parametrize("name", ["", " a", "a\nb", "x" * 201])
def test_names_are_plain(book: ExperimentLog, name: str) -> None:
    with pytest.raises(SettingsError, match="name"):
        open_experiment(book, name, QUESTION, 0.05, NOW)


def test_two_that_open_at_once_get_two_places(tmp_path: Path) -> None:
    Tables(tmp_path)

    def open_some(prefix: str) -> None:
        opened(ExperimentLog(Tables(tmp_path)), *(f"{prefix}{n}" for n in range(4)))

    threads = [threading.Thread(target=open_some, args=(prefix,)) for prefix in "ab"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    places = [each.place for each in experiments(ExperimentLog(Tables(tmp_path)))]
    assert places == list(range(1, 9))


@pytest.mark.parametrize("hasty", [False, True])
def test_few_finds_are_false_whichever_is_closed_first(hasty: bool) -> None:
    """Nine in ten candidates are no worse; each is watched until its evidence is best or ends.

    Pairs of coin flips: a bet of constant share on "worse", stopped where it would be found.
    """
    rng, q, shares, hits = np.random.default_rng(8), 0.2, [], []
    for _ in range(300):
        stream = [_open(place) for place in range(1, 31)]
        healthy = rng.random(30) < 0.9
        wins = rng.random((30, 200)) < np.where(healthy, 0.5, 0.7)[:, None]
        paths = np.log1p(0.3 * np.where(wins, 1.0, -1.0)).cumsum(axis=1)
        order = np.argsort(-paths.max(axis=1)) if hasty else rng.permutation(30)
        for at in order:
            goal = needed(stream, stream[at])
            reached = np.flatnonzero(paths[at] >= goal)
            log_e = float(paths[at, reached[0]] if reached.size else paths[at, -1])
            outcome = Outcome(200, ("contains",), log_e, goal, found=log_e >= goal)
            stream[at] = replace(stream[at], outcome=outcome)
        named = np.array([each.outcome is not None and each.outcome.found for each in stream])
        shares.append((named & healthy).sum() / max(named.sum(), 1))
        hits.append((named & ~healthy).sum() / max((~healthy).sum(), 1))
    assert 0.0 < np.mean(shares) <= q
    assert np.mean(hits) > 0.5


def _open(place: int) -> Experiment:
    return Experiment(f"e{place}", place, QUESTION, 0.2, NOW)


def test_evidence_that_cannot_be_had_is_not_recorded(book: ExperimentLog) -> None:
    opened(book, "a")

    def nothing(one: Experiment) -> Sequence[ScorerVerdict]:
        raise StorageError("no pairs")

    with pytest.raises(StorageError):
        close_experiment(book, "a", nothing, LATER)
    assert experiments(book)[0].outcome is None
