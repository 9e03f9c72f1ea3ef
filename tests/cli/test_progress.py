"""What is shown while a sync goes on: what was counted, what is waited for and why, and how long it will take."""

from __future__ import annotations

import io
import re
from datetime import timedelta

import pytest
from rich.cells import cell_len
from rich.console import Console

from conversations_hub._cli.outcome import show_outcome
from conversations_hub._cli.pace import Pace
from conversations_hub._cli.progress import WatchedRecordings, WatchedSync, fitting
from conversations_hub._cli.waits import Waits
from conversations_hub.adapters import BUILTIN
from conversations_hub.errors import TransportError
from conversations_hub.signals import AttemptEnded, BreakerChanged, PageRead, RetryScheduled, Signal
from conversations_hub.sync import AccountSyncReport, RecordingsReport, SyncReport

LOST = "no connection to api.tavus.io"


class Time:
    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


def ended(*, status: int | None = None, reason: str | None = None, error: str | None = None) -> AttemptEnded:
    return AttemptEnded(
        provider="tavus",
        account="eu",
        operation="list",
        method="GET",
        path="/",
        number=1,
        status=status,
        reason=reason,
        error=error or (reason and "TransportError"),
    )


def retry(delay: float) -> RetryScheduled:
    return RetryScheduled(
        provider="tavus", account="eu", operation="list", number=1, delay=delay, cause="TransportError", budget=9
    )


def opened(seconds: float) -> BreakerChanged:
    return BreakerChanged(provider="tavus", account="eu", is_open=True, seconds=seconds)


PAGE = PageRead(provider="tavus", account="eu", listed=1, new=1, duplicates=0, rejected=0)


@pytest.mark.parametrize(
    ("signals", "why"),
    [
        ([], None),
        ([ended(status=200)], None),
        ([ended(status=404)], None),  # an answer
        ([ended(reason=LOST)], f"{LOST}, trying again"),
        ([ended(reason=LOST), retry(4.0)], f"{LOST}, next try in 4 s"),
        ([ended(reason=LOST), retry(9.0), retry(4.0), PAGE], f"{LOST}, next try in 4 s"),
        ([ended(reason=LOST), opened(30.0), retry(4.0)], f"{LOST}, next try in 30 s"),
        ([ended(status=503), retry(4.0)], "the provider has problems (HTTP 503), next try in 4 s"),
        ([ended(status=429), retry(60.0)], "too many requests (HTTP 429), next try in 60 s"),
        ([ended(error="PayloadError"), retry(4.0)], "an unreadable answer, next try in 4 s"),
        ([ended(reason=LOST), retry(4.0), ended(status=200)], None),
    ],
)
def test_what_is_waited_for_has_a_reason(signals: list[Signal], why: str | None) -> None:
    waits = Waits(Time())
    for signal in signals:
        waits.hear(signal)
    assert waits.why("tavus/eu") == why
    assert waits.why("tavus/default") is None


def test_the_next_try_comes_nearer() -> None:
    time = Time()
    waits = Waits(time)
    for signal in (ended(reason=LOST), retry(4.0)):
        waits.hear(signal)
    time.seconds += 3
    assert waits.why("tavus/eu") == f"{LOST}, next try in 1 s"
    time.seconds += 1
    assert waits.why("tavus/eu") == f"{LOST}, trying again"
    waits.hear(retry(8.0))
    assert waits.why("tavus/eu") == f"{LOST}, next try in 8 s"


def lefts(*shares: float | None, every: float = 30.0) -> list[str | None]:
    pace, account = Pace(), AccountSyncReport("tavus/eu")
    account.stage = "listing"
    found: list[str | None] = []
    for number, share in enumerate(shares):
        account.share = share
        found.append(pace.left(account, number * every))
    return found


def test_how_long_it_takes_is_told_in_round_words_once_something_is_known() -> None:
    assert lefts(None, 0.0, 0.01, 0.1, 0.5, 0.95) == [
        None,
        None,
        None,
        "about 9 min left",
        "about 2 min left",
        "less than a minute left",
    ]
    assert lefts(0.5, 0.6) == [None, "about 2 min left"]  # one that goes on where it was stopped
    assert lefts(0.0, 0.05, every=timedelta(hours=1).total_seconds()) == [None, "about 19 h left"]


def test_a_list_without_an_order_in_time_tells_nothing() -> None:
    assert lefts(0.1, 0.9, 0.3, 0.99)[2:] == [None, None]


def test_a_pass_that_verifies_does_not_turn_the_clock_back() -> None:
    pace, account = Pace(), AccountSyncReport("tavus/eu")
    account.stage, account.share = "listing", 0.0
    pace.left(account, 0.0)
    account.share = 0.5
    pace.left(account, 60.0)
    account.stage, account.share = "verifying", 0.1
    pace.left(account, 70.0)
    account.stage, account.share = "listing", 0.6
    assert pace.left(account, 80.0) == "less than a minute left"


HOW_MANY = len(BUILTIN)
TOTAL = sum(range(HOW_MANY))


def watched() -> tuple[WatchedSync, SyncReport, Waits]:
    report, waits = SyncReport(), Waits(Time())
    for number, provider in enumerate(BUILTIN):
        account = AccountSyncReport(f"{provider}/default")
        account.listed, account.fetched, account.new = 1_000 * number, 100 * number, 10 * number
        account.stage = "listing"
        report.accounts.append(account)
    return WatchedSync(report, waits, Time()), report, waits


@pytest.mark.parametrize("width", [60, 80, 120])
def test_what_a_terminal_shows_fits_and_leaves_no_number_out(width: int) -> None:
    shows, report, waits = watched()
    first, second, third, *_ = report.accounts
    first.ended, first.elapsed = True, 12.0
    second.error = TransportError(LOST)
    third.stage, third.seen = "verifying", 1234
    last = report.accounts[-1].where.partition("/")[0]
    waits.hear(AttemptEnded(provider=last, account="default", method="GET", path="/", number=1, status=503))
    out = Console(file=io.StringIO(), width=width, force_terminal=True, color_system=None)
    out.print(shows.table())
    assert isinstance(out.file, io.StringIO)
    lines = out.file.getvalue().splitlines()
    assert max(map(cell_len, lines)) <= width
    assert cell_len(lines[-1].rstrip()) < width or width < 80
    for account in report.accounts:
        [row] = [line for line in lines if line.startswith(account.where)]
        assert row.split()[1:4] == [f"{account.listed:,}", f"{account.fetched:,}", f"{account.written:,}"]
    [total] = [line for line in lines if line.startswith("total")]
    assert total.split()[1:4] == [f"{TOTAL * 1_000:,}", f"{TOTAL * 100:,}", f"{TOTAL * 10:,}"]
    shown = re.sub(r"\s+", "", "".join(lines))  # long words may be broken
    for words in ("done in 0:12", "verifying: 1,234 read again", f"2 of {HOW_MANY} done", "failed: no connection"):
        assert words.replace(" ", "") in shown


@pytest.mark.parametrize(("height", "lines"), [(40, HOW_MANY + 5), (10, 1)])
def test_what_would_scroll_away_is_left_out(height: int, lines: int) -> None:
    shows, *_ = watched()
    out = Console(file=io.StringIO(), width=100, height=height, force_terminal=True)
    shown = out.render_lines(fitting(shows, out))
    assert len(shown) == lines
    assert "total" in "".join(segment.text for line in shown for segment in line)


def test_elsewhere_it_is_lines_and_who_has_ended_is_told_once() -> None:
    shows, report, waits = watched()
    report.accounts[0].ended = True
    waits.hear(
        AttemptEnded(provider="vapi", account="default", method="GET", path="/", number=1, error="X", reason=LOST)
    )
    first, second = list(shows.lines()), list(shows.lines())
    assert first[0] == "tavus/default: 0 listed, 0 fetched, 0 written; done in 0:00"
    assert f"vapi/default: 3,000 listed, 300 fetched, 30 written; {LOST}, trying again" in first
    totals = f"{TOTAL * 1_000:,} listed, {TOTAL * 100:,} fetched, {TOTAL * 10:,} written"
    assert first[-1] == f"total: {totals}; 1 of {HOW_MANY} done after 0:00"
    assert len(second) == len(first) - 1


@pytest.mark.parametrize("width", [80, 120])
def test_the_table_at_the_end_fits_a_terminal(
    width: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _, report, _ = watched()
    for account in report.accounts:
        account.ended, account.pending, account.restricted, account.given_up = True, 12_345, 3, 4
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.setenv("TERM", "dumb")
    show_outcome(report, None)
    lines = capsys.readouterr().out.splitlines()
    table = lines[: next(number for number, line in enumerate(lines) if line.startswith("total")) + 1]
    assert max(map(cell_len, table)) <= width
    assert table[-1].split()[-1] == "complete"
    assert "…" not in "".join(table)
    pending = f"{HOW_MANY * 12_345:,} pending"
    assert f"{pending}: written, but more may come, so the next run fetches them again" in lines


def test_downloads_are_shown_while_they_go_on() -> None:
    files, waits = RecordingsReport(), Waits(Time())
    shown = WatchedRecordings(files, waits)
    files.downloaded, files.size = 12, 3_400_000
    files.failures["TransportError: no connection to cdn.example\x1b[2J"] += 2
    assert shown.lines() == [
        "recordings: 12 downloaded (3.4 MB), 0 already there",
        "  2 failed: TransportError: no connection to cdn.example\\x1b[2J",
    ]
    waits.hear(ended(status=503))
    assert shown.lines()[2:] == ["tavus/eu: the provider has problems (HTTP 503), trying again"]
    assert shown.table().plain == "\n".join(shown.lines())
