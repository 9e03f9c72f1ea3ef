"""Forgiving readers: the value in our terms, or None and an issue that names the place and never the value."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone, tzinfo
from decimal import Decimal
from email.utils import format_datetime

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from conversations_hub.reading import values
from conversations_hub.reading.money import amount, cost
from conversations_hub.reading.participants import Participants, unknown_speaker
from conversations_hub.reading.values import (
    LONGEST_SPAN,
    Issues,
    add_seconds,
    drop_if_before,
    instant,
    json_text,
    seconds,
    text,
    timestamp,
    unless_empty,
)
from conversations_hub.schema import Agent, Analysis, Cost, Issue, Participant, ParticipantKind

TEN = datetime(2026, 3, 2, 10, tzinfo=UTC)
EMPTY = [Issue("at", "empty")]
NOT_A_DATE = [Issue("at", "not a date")]
NOT_SECONDS = [Issue("for", "not a number of seconds")]

# instants


@pytest.mark.parametrize(
    ("value", "moment"),
    [
        ("2026-03-02T10:00:00Z", TEN),
        ("2026-03-02t10:00:00z", TEN),
        ("2026-03-02T10:00:00", TEN),
        ("2026-03-02 10:00:00", TEN),
        (" 2026-03-02T10:00:00Z ", TEN),
        ("2026-03-02T15:30:00+0530", TEN),
        ("2026-03-02T15:30:00+05:30", TEN),
        ("2026-03-02T05:00:00-05:00", TEN),
        ("20260302T100000Z", TEN),
        ("2026-03-02 10:00:00 UTC", TEN),
        ("2026-03-02 15:30:00 +0530", TEN),
        ("2026-03-02T10:00:00 Z", TEN),
        ("Mon, 02 Mar 2026 10:00:00 GMT", TEN),
        ("Mon, 02 Mar 2026 10:00:00 +0000", TEN),
        ("mon, 2 mar 2026 05:00:00 -0500", TEN),
        ("02 Mar 2026 10:00 UTC", TEN),
        ("2 March 2026 10:00:00", TEN),
        ("Monday, 02-Mar-26 10:00:00 GMT", TEN),
        ("Mon Mar  2 10:00:00 2026", TEN),
        ("Mon Mar 02 2026 11:00:00 GMT+0100 (Central European Standard Time)", TEN),
        ("2026-03-02", datetime(2026, 3, 2, tzinfo=UTC)),
        ("20260302", datetime(2026, 3, 2, tzinfo=UTC)),
        ("2026-03-02T10:00:00.5Z", TEN + timedelta(seconds=0.5)),
        ("2026-03-02T10:00:00.123456789Z", datetime(2026, 3, 2, 10, 0, 0, 123456, UTC)),
        ("8999-12-31T23:59:59Z", datetime(8999, 12, 31, 23, 59, 59, tzinfo=UTC)),
        ("8999-12-31T22:59:59-01:00", datetime(8999, 12, 31, 23, 59, 59, tzinfo=UTC)),
        ("1970-01-01T00:00:00Z", datetime(1970, 1, 1, tzinfo=UTC)),
        (1772445600, TEN),
        (1772445600.5, TEN + timedelta(seconds=0.5)),
        (1772445600_123, datetime(2026, 3, 2, 10, 0, 0, 123000, UTC)),
        (1772445600_123456, datetime(2026, 3, 2, 10, 0, 0, 123456, UTC)),
        (1772445600_000000000, TEN),
        ("1772445600", TEN),
        ("100000000", datetime(1973, 3, 3, 9, 46, 40, tzinfo=UTC)),
        (" 1772445600 ", TEN),
        ("1772445600.5", TEN + timedelta(seconds=0.5)),
        ("1772445600123", datetime(2026, 3, 2, 10, 0, 0, 123000, UTC)),
        (99_999_999_999, datetime(5138, 11, 16, 9, 46, 39, tzinfo=UTC)),
        (100_000_000_000, datetime(1973, 3, 3, 9, 46, 40, tzinfo=UTC)),
    ],
)
def test_every_form_of_an_instant_is_read_as_utc(value: values.Instant, moment: datetime) -> None:
    issues: list[Issue] = []
    found = instant(value, "at", issues)
    assert found is not None
    assert found == moment
    assert found.tzinfo is UTC
    assert timestamp(value, "at", issues) == pytest.approx(moment.timestamp(), abs=1e-6)
    assert issues == []


@pytest.mark.parametrize(
    ("value", "issues"),
    [
        (None, []),
        ("", EMPTY),
        (" ", NOT_A_DATE),
        ("yesterday", NOT_A_DATE),
        ("2026-02-30", NOT_A_DATE),
        ("2026-03-02T10:00:60Z", NOT_A_DATE),
        ("Mon, 02 Mar 2026 10:00:00 CET", NOT_A_DATE),  # one name, several zones
        ("Mon, 30 Feb 2026 10:00:00 GMT", NOT_A_DATE),
        ("Mon, 02 Mar 2026 25:00:00 GMT", NOT_A_DATE),
        ("Mar 2, 2026", NOT_A_DATE),
        ("03/02/2026 10:00", NOT_A_DATE),
        ("Mon, ٠٢ Mar 2026 10:00:00 GMT", NOT_A_DATE),
        ("9000-01-01T00:00:00Z", NOT_A_DATE),
        ("9000-01-01T00:30:00+00:00", NOT_A_DATE),
        ("8999-12-31T23:59:59-01:00", NOT_A_DATE),
        ("9999-12-31T23:59:59Z", NOT_A_DATE),
        ("9999-12-31T23:59:59-01:00", NOT_A_DATE),
        ("1969-12-31T23:59:59Z", NOT_A_DATE),
        ("1970-01-01T00:30:00+01:00", NOT_A_DATE),
        ("0001-01-01T00:00:00Z", NOT_A_DATE),
        ("0001-01-01T00:00:00+01:00", NOT_A_DATE),
        ("10000-01-01T00:00:00Z", NOT_A_DATE),
        ("nan", NOT_A_DATE),
        ("1e9", NOT_A_DATE),
        ("1" * 5000, NOT_A_DATE),
        ("١٧٧٢٤٤٥٦٠٠", NOT_A_DATE),
        ("\ud83d", NOT_A_DATE),
        (0, NOT_A_DATE),
        (-5, NOT_A_DATE),
        (float("nan"), NOT_A_DATE),
        (float("inf"), NOT_A_DATE),
        (10**20, NOT_A_DATE),
        (10**30, NOT_A_DATE),
        (10**400, NOT_A_DATE),
    ],
    ids=lambda value: repr(value)[:30],
)
def test_no_instant_is_none_with_an_issue(value: values.Instant, issues: list[Issue]) -> None:
    for read in (instant, timestamp):
        noted: list[Issue] = []
        assert read(value, "at", noted) is None
        assert noted == issues


@pytest.mark.parametrize(
    ("value", "zone", "moment"),
    [
        ("2026-03-02T11:00:00", timezone(timedelta(hours=1)), TEN),
        ("2026-03-02T10:00:00Z", timezone(timedelta(hours=1)), TEN),
        ("9999-12-31T23:59:59", timezone(timedelta(hours=-1)), None),
    ],
)
def test_text_without_a_zone_is_taken_to_be_in_the_providers(value: str, zone: tzinfo, moment: datetime | None) -> None:
    assert instant(value, "at", [], zone=zone) == moment


@given(
    st.none()
    | st.integers()
    | st.floats()
    | st.text()
    | st.text(alphabet="0123456789-:T.Z+ ", max_size=30)
    | st.datetimes(timezones=st.timezones()).map(datetime.isoformat)
    | st.datetimes(timezones=st.timezones()).map(format_datetime)
)
def test_an_instant_is_utc_or_none_with_an_issue(value: values.Instant) -> None:
    issues: list[Issue] = []
    found = instant(value, "at", issues)
    if found is None:
        assert (value is None) == (not issues)
    else:
        assert found.tzinfo is UTC
        assert not issues
    moment = timestamp(value, "at", [])
    assert (moment is None) == (found is None)
    if moment is not None:
        datetime.fromtimestamp(moment, UTC)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (1772445600123, 1772445600.123),
        ("1772445600123", 1772445600.123),
        (1000, 1.0),  # in no unit a year of any provider's, so as documented
        (4000, 4.0),
        (1772445600, 1772445600.0),  # in milliseconds a day in January 1970
        (1772445600_123456, 1772445600.123456),
        ("2026-03-02T10:00:00Z", 1772445600.0),
    ],
)
def test_an_epoch_counts_as_documented_unless_that_cannot_be(value: values.Instant, seconds: float) -> None:
    found = instant(value, "at", [], per_second=1000)
    assert found is not None
    assert found.timestamp() == pytest.approx(seconds, abs=1e-6)


# spans


@pytest.mark.parametrize(
    ("told", "unit", "known", "span"),
    [
        (93, 60.0, 93.4, 93.0),  # minutes as documented, seconds as the clock has it
        (93, 60.0, 5580.0, 5580.0),
        (1.4167, 60.0, 85.0, 85.002),
        (93, 60.0, None, 5580.0),
        (93, 60.0, 400.0, 5580.0),  # what agrees with nothing is as documented
        (61777, 0.001, 61.777, 61.777),
        (61.777, 0.001, 61.777, 61.777),
        (12345, 0.001, None, 12.345),
        (0, 0.001, 30.0, 0.0),
        (96.7, 1.0, 96.768, 96.7),
        (96768, 1.0, 96.768, 96.768),
    ],
)
def test_a_span_is_in_its_documented_unit_unless_another_alone_agrees_with_what_is_known(
    told: float, unit: float, known: float | None, span: float
) -> None:
    assert values.in_seconds(told, unit, known) == span


@pytest.mark.parametrize(
    ("value", "span"),
    [
        (0, 0.0),
        (-0.0, 0.0),
        (12, 12.0),
        (12.5, 12.5),
        ("12", 12.0),
        (" 12.5 ", 12.5),
        ("1.5e2", 150.0),
        ("0:05", 5.0),
        ("1:05", 65.0),
        ("90:00", 5400.0),
        ("1:02:03", 3723.0),
        ("1:02:03.5", 3723.5),
    ],
)
def test_every_form_of_a_span_is_read_as_seconds(value: values.Number, span: float) -> None:
    issues: list[Issue] = []
    assert seconds(value, "for", issues) == span
    assert issues == []


@pytest.mark.parametrize(
    ("value", "issues"),
    [
        (None, []),
        ("", [Issue("for", "empty")]),
        (" ", NOT_SECONDS),
        (-1, NOT_SECONDS),
        ("-5", NOT_SECONDS),
        ("+5", NOT_SECONDS),
        ("1:-5", NOT_SECONDS),
        ("-1:70", NOT_SECONDS),
        ("1:", NOT_SECONDS),
        (":", NOT_SECONDS),
        ("1:2:3:4", NOT_SECONDS),
        ("1.2.3", NOT_SECONDS),
        ("1_000", NOT_SECONDS),
        ("١٢", NOT_SECONDS),
        ("12 s", NOT_SECONDS),
        ("0x10", NOT_SECONDS),
        ("nan", NOT_SECONDS),
        ("inf", NOT_SECONDS),
        ("Infinity", NOT_SECONDS),
        ("1e400", NOT_SECONDS),
        (float("nan"), NOT_SECONDS),
        (float("inf"), NOT_SECONDS),
        (2**63, NOT_SECONDS),
        (123456789012345678901234567890, NOT_SECONDS),
        (10**400, NOT_SECONDS),
    ],
    ids=lambda value: repr(value)[:30],
)
def test_no_span_is_none_with_an_issue(value: values.Number, issues: list[Issue]) -> None:
    noted: list[Issue] = []
    assert seconds(value, "for", noted) is None
    assert noted == issues


@given(st.integers() | st.floats() | st.text() | st.text(alphabet="0123456789:.eE+- _", max_size=12))
def test_a_span_is_finite_and_not_negative_or_none_with_an_issue(value: values.Number) -> None:
    issues: list[Issue] = []
    found = seconds(value, "for", issues)
    if found is None:
        assert len(issues) == 1
    else:
        assert 0 <= found < LONGEST_SPAN
        assert not issues


# the rest


@pytest.mark.parametrize(
    ("value", "read"),
    [
        (None, None),
        ("", None),
        ("a", "a"),
        (0, "0"),
        (9007199254740993, "9007199254740993"),
        (2**64 + 1, "18446744073709551617"),
    ],
)
def test_ids_keep_every_digit(value: str | int | None, read: str | None) -> None:
    assert text(value) == read


@pytest.mark.parametrize(
    ("moment", "start", "kept", "issues"),
    [
        (TEN, TEN, TEN, []),
        (TEN, None, TEN, []),
        (None, TEN, None, []),
        (TEN - timedelta(seconds=1), TEN, None, [Issue("at", "before the start")]),
    ],
)
def test_no_end_lies_before_its_start(
    moment: datetime | None, start: datetime | None, kept: datetime | None, issues: list[Issue]
) -> None:
    noted: list[Issue] = []
    assert drop_if_before(moment, start, "at", noted) == kept
    assert noted == issues


@pytest.mark.parametrize(
    ("moment", "span", "end", "issues"),
    [
        (TEN, 90.5, TEN + timedelta(minutes=1, seconds=30.5), []),
        (TEN, 0.0, TEN, []),
        (None, 90.5, None, []),
        (TEN, None, None, []),
        (TEN, 1e12, None, [Issue("for", "ends after the last possible date")]),
        (TEN, 9e18, None, [Issue("for", "ends after the last possible date")]),
    ],
)
def test_a_span_leads_to_an_instant_if_there_is_one(
    moment: datetime | None, span: float | None, end: datetime | None, issues: list[Issue]
) -> None:
    noted: list[Issue] = []
    assert add_seconds(moment, span, "for", noted) == end
    assert noted == issues


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, None),
        ("", ""),
        ('{"broken', '{"broken'),
        ({"a": [1, None, "é"]}, '{"a":[1,null,"é"]}'),
        (2**64 + 1, "18446744073709551617"),
        (True, "true"),
    ],
)
def test_what_is_left_free_becomes_its_json_text(value: values.AnyJson, shown: str | None) -> None:
    assert json_text(value) == shown


def test_a_date_with_blanks_is_read_up_to_a_length_no_date_has() -> None:
    issues: list[Issue] = []
    assert instant(f"Mon,{' ' * 60}2 Mar 2026 10:00:00 GMT", "at", issues) == TEN
    assert instant(f"Mon,{' ' * 200}2 Mar 2026 10:00:00 GMT", "at", issues) is None
    assert issues == [Issue("at", "not a date")]


def test_of_very_many_issues_the_first_are_kept_and_it_is_said() -> None:
    issues = Issues()
    issues.extend(Issue(str(number), "null") for number in range(9_999))
    issues.extend([Issue("a", "null"), Issue("b", "null")])
    issues.append(Issue("c", "null"))
    assert issues[-2:] == [Issue("a", "null"), Issue("issues", "more than 10000, and the rest is not listed")]


def test_who_is_new_is_added_and_who_is_known_is_found() -> None:
    ava, zoe = Participant(name="Ava"), Participant(name="Zoë")
    participants = Participants([ava])
    assert [participants.index_of(one) for one in (zoe, ava, Participant(name="Zoë"))] == [1, 0, 1]
    assert participants == [ava, zoe]


def test_of_two_alike_the_first_is_found() -> None:
    assert Participants([Participant(), Participant(name="Ava"), Participant()]).index_of(Participant()) == 0


def test_a_person_who_took_over_is_the_first_of_those_known() -> None:
    human = Participant(kind=ParticipantKind.HUMAN_AGENT, phone="+49301234567")
    participants = Participants([Participant(), human])
    others = [unknown_speaker(word, participants) for word in ("Zoë", "live agent", "Zoë", "human_agent")]
    assert [place for _, place in others] == [2, 1, 2, 1]
    participants = Participants([Participant()])
    others = [unknown_speaker(word, participants) for word in ("Zoë", "live agent", "Zoë", "human_agent")]
    assert [place for _, place in others] == [1, 2, 1, 2]


# amounts


@pytest.mark.parametrize(
    ("value", "read"),
    [
        (7, "7"),
        (0.1, "0.1"),
        ("0.10", "0.10"),
        (msgspec.Raw(b"0.10"), "0.10"),
        (msgspec.Raw(b'"0.10"'), "0.10"),
        (msgspec.Raw(b"1e-7"), "1E-7"),
        (msgspec.Raw(b"-3"), "-3"),
    ],
)
def test_an_amount_is_read_to_the_last_digit(value: values.AnyJson | msgspec.Raw, read: str) -> None:
    issues: list[Issue] = []
    assert str(amount(value, "cost", issues)) == read
    assert isinstance(amount(value, "cost", issues), Decimal)
    assert issues == []


@pytest.mark.parametrize(
    "value",
    [
        *("", "a lot", "$1", "nan", "Infinity", "1e999999", None, True, [], {"a": 1}, 2**63, 10**4299),
        *(msgspec.Raw(sent) for sent in (b"1e400", b"1e999999999", b"7" * 4301, b"0." + b"7" * 4301, b'"soon"', b"[]")),
    ],
    ids=lambda value: repr(value)[:20],
)
def test_what_no_price_can_be_is_none_and_said(value: values.AnyJson | msgspec.Raw) -> None:
    issues: list[Issue] = []
    assert amount(value, "cost", issues) is None
    assert issues == [Issue("cost", "not a number")]


def test_an_agent_and_a_customer_come_first() -> None:
    participants = Participants.of(Agent(id="a1", name="Ava", version="2"), agent_phone="+1", customer_id="c1")
    assert participants == [
        Participant(kind=ParticipantKind.AI_AGENT, id="a1", name="Ava", phone="+1"),
        Participant(kind=ParticipantKind.CUSTOMER, id="c1"),
    ]
    assert unknown_speaker("Zoë", participants)[1] == 2


def test_a_record_that_says_nothing_is_none() -> None:
    assert unless_empty(Agent()) is None
    assert unless_empty(Analysis()) is None
    assert unless_empty(Agent(version="2")) == Agent(version="2")
    assert unless_empty(Analysis(success=False)) == Analysis(success=False)


def test_what_is_empty_is_left_out_and_nothing_else() -> None:
    assert values.without_empty({"a": None, "b": "", "c": 0, "d": False, "e": [], "f": {}}) == {
        "c": 0,
        "d": False,
        "e": [],
        "f": {},
    }
    assert values.ids_of({"a": None, "b": "", "c": 0, "d": "x"}) == {"c": "0", "d": "x"}


def test_members_are_those_of_an_object_and_text_is_text() -> None:
    sent: values.AnyJson = {"a": {"b": "c", "d": "", "e": 1}, "f": ["g"]}
    assert values.text_at(sent, "a", "b") == "c"
    assert {values.text_at(sent, *path) for path in ((), ("a",), ("a", "d"), ("a", "e"), ("f", "g"), ("x", "y"))} == {
        None
    }
    assert values.members_of(sent) is sent
    assert values.members_of(["a"]) == values.members_of(None) == {}


@pytest.mark.parametrize("value", [None, "", *(msgspec.Raw(sent) for sent in (b"", b"null", b'""'))])
def test_no_price_is_not_a_price_of_nothing(value: values.AnyJson | msgspec.Raw) -> None:
    issues: list[Issue] = []
    assert cost(value, "cost", issues) is None
    assert issues == []
    assert cost(0, "cost", issues) == Cost(amount=Decimal(0), unit="USD")


def test_a_cost_keeps_every_digit_and_names_its_unit() -> None:
    issues: list[Issue] = []
    whole = cost(msgspec.Raw(b"0.1000000000000000055511151231257827"), "cost", issues, unit="credits")
    cents = cost("14.70", "cost", issues, per_unit=100)
    assert (whole and str(whole.amount), whole and whole.unit) == ("0.1000000000000000055511151231257827", "credits")
    assert cents == Cost(amount=Decimal("0.147"), unit="USD")
    assert cost("a lot", "cost", issues) is None
    assert issues == [Issue("cost", "not a number")]
