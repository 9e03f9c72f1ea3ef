"""The shared limit without a server: places, passwords that nobody sees, and what happens while Redis is away."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from click.testing import CliRunner

from conversations_hub import Hub
from conversations_hub._cli import cli
from conversations_hub.engines import Source
from conversations_hub.errors import ConfigurationError
from conversations_hub.hub import RedisLimiter
from conversations_hub.hub._from_file import configured
from conversations_hub.hub._redis import RESERVE

from ..support.accounts_file import accounts_file
from ..support.clock import FakeClock

PASSWORD = "the-limiter-s-password"
URL = f"redis://hub:{PASSWORD}@limits.example:6380/0"
ACCOUNT = '[[account]]\nprovider = "tavus"\nkey_env = "TAVUS_API_KEY"\n'
ENVIRON = {"TAVUS_API_KEY": "key", "REDIS_URL": URL}


class StandIn:
    """Stands in for Redis: answers what it is told to, or raises it."""

    def __init__(self) -> None:
        self.answers: list[object] = []
        self.asked: list[tuple[str, Sequence[str], Sequence[float]]] = []
        self.is_closed = False

    def from_url(self, url: str, **_options: Any) -> StandIn:
        if "unknown" in url:
            raise ValueError(url)
        return self

    def register_script(self, script: str) -> Any:
        async def run(keys: Sequence[str], arguments: Sequence[float]) -> object:
            self.asked.append((script, keys, arguments))
            answer = self.answers.pop(0)
            if isinstance(answer, Exception):
                raise answer
            return answer

        return run

    async def aclose(self) -> None:
        self.is_closed = True


def _no_retry(_backoff: object, _times: int) -> None:
    return None


@pytest.fixture
def redis(monkeypatch: pytest.MonkeyPatch) -> StandIn:
    found = StandIn()
    retry = SimpleNamespace(Retry=_no_retry)
    monkeypatch.setitem(sys.modules, "redis", SimpleNamespace(backoff=SimpleNamespace(NoBackoff=dict)))
    monkeypatch.setitem(sys.modules, "redis.asyncio", SimpleNamespace(Redis=found, retry=retry))
    return found


async def test_a_place_that_lies_ahead_is_kept_until_its_time(redis: StandIn) -> None:
    time = FakeClock()
    limiter = RedisLimiter("redis://localhost", rates={"vapi/eu": 4.0}, burst=2, clock=time.clock)
    redis.answers = [b"0", b"0.25", b"0", b"0"]
    assert [await limiter.reserve("vapi/eu") for _ in range(3)] == [0.0, 0.25, 0.25]
    assert redis.asked == [(RESERVE, ["hub:limit:{vapi/eu}"], (4.0, 2, 0))] * 2
    time.time += 0.25
    assert [await limiter.reserve("vapi/eu") for _ in range(2)] == [0.0, 0.0]
    assert [arguments[2] for _, _, arguments in redis.asked] == [0, 0, 1, 0]


async def test_a_place_from_before_a_pause_is_given_up(redis: StandIn) -> None:
    time = FakeClock()
    limiter = RedisLimiter("redis://localhost", clock=time.clock)
    redis.answers = [b"0.1", b"2.0", b"0"]
    assert await limiter.reserve("vapi/eu") == 0.1
    time.time += 0.1
    assert await limiter.reserve("vapi/eu") == 2.0
    time.time += 2.0
    assert await limiter.reserve("vapi/eu") == 0.0


@pytest.mark.parametrize(
    ("account", "rate"), [("bolna/eu", 0.98 * 8), ("vapi/eu", 10.0), ("of-my-own/eu", 10.0), ("tavus/eu", 3.0)]
)
async def test_the_rate_is_the_given_one_or_the_documented_one_or_ten(
    account: str, rate: float, redis: StandIn
) -> None:
    limiter = RedisLimiter("redis://localhost", rates={"tavus/eu": 3.0})
    redis.answers = [b"0"]
    await limiter.reserve(account)
    assert redis.asked[0][2][0] == pytest.approx(rate)


async def test_while_redis_is_away_each_worker_keeps_to_its_part(
    redis: StandIn, caplog: pytest.LogCaptureFixture
) -> None:
    time = FakeClock()
    limiter = RedisLimiter(URL, rates={"vapi/eu": 40.0}, workers=4, clock=time.clock)
    redis.answers = [ConnectionError(PASSWORD), OSError(), None, b"0"]
    waits: list[float] = []
    for _ in range(9):
        waits.append(await limiter.reserve("vapi/eu"))
        time.time += waits[-1]
    assert waits == pytest.approx([0.0, 0.1, 0.0, 0.1, 0.0, 0.1, 0.0, 0.1, 0.0])  # ten a second of forty
    assert len(redis.asked) == 1
    time.time += 1.0
    await limiter.throttled("vapi/eu")  # away still, so it is left alone for two seconds now
    time.time += 1.5
    await limiter.pause("vapi/eu", 3.0)
    assert len(redis.asked) == 2
    assert await limiter.reserve("vapi/eu") == pytest.approx(3.0)
    time.time += 3.0
    assert await limiter.reserve("vapi/eu") == 0.0
    assert [record.levelname for record in caplog.records] == ["WARNING", "WARNING"]
    assert "limits.example:6380 does not answer (ConnectionError)" in caplog.text
    assert "limits.example:6380 works again" in caplog.text
    assert PASSWORD not in caplog.text + repr(limiter)


@pytest.mark.parametrize("answer", [b"nothing", b"inf", b"nan"])
async def test_an_answer_that_is_no_number_is_none(answer: bytes, redis: StandIn) -> None:
    limiter = RedisLimiter("redis://localhost", clock=FakeClock().clock)
    redis.answers = [answer]
    assert await limiter.reserve("vapi/eu") == 0.0


@pytest.mark.parametrize(
    ("url", "numbers"),
    [
        ("http://limits.example", {}),
        ("redis://", {}),
        ("redis://limits.example:port", {}),
        (f"redis://hub:{PASSWORD}@[", {}),
        (f"redis://hub:{PASSWORD}@limits.example?unknown=1", {}),
        (URL, {"burst": 0}),
        (URL, {"workers": 0}),
        (URL, {"rates": {"vapi/eu": 0.0}}),
    ],
)
@pytest.mark.usefixtures("redis")
def test_what_cannot_be_a_limiter_is_refused_without_its_password(url: str, numbers: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError) as caught:
        RedisLimiter(url, **numbers)
    assert PASSWORD not in str(caught.value)
    assert caught.value.__cause__ is caught.value.__context__ is None


def test_without_the_extra_the_error_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "redis", None)
    with pytest.raises(ConfigurationError, match=r"conversations-hub\[redis\]"):
        RedisLimiter("redis://localhost")


@pytest.mark.parametrize(
    "line",
    [
        'limiter = "redis://localhost"',
        'limiter = { url_env = "REDIS_URL", workers = 4, rates = { "tavus/default" = 2 } }',
    ],
)
async def test_a_file_of_accounts_names_a_limiter(line: str, tmp_path: Path, redis: StandIn) -> None:
    path = accounts_file(tmp_path, f"{line}\n{ACCOUNT}")
    found = configured(path, ENVIRON).limiter
    assert found is not None
    assert found.rates == ({"tavus/default": 2.0} if "rates" in line else {})
    async with Hub.from_file(path, environ=ENVIRON):
        pass
    assert redis.is_closed


@pytest.mark.parametrize(
    ("line", "mode", "reason"),
    [
        (f'limiter = "{URL}"', 0o644, "others may read it: chmod 600"),
        ('limiter = { url_env = "NO_URL" }', 0o600, "NO_URL is not set"),
        ("limiter = { workers = 2 }", 0o600, "either url or url_env"),
        ("limiter = { worker = 2 }", 0o600, "is workers meant"),
        (f'limiter = "http://{PASSWORD}"', 0o600, "redis://host:port"),
        ('limiter = { url_env = "REDIS_URL", workers = 0 }', 0o600, "1 or more"),
    ],
)
@pytest.mark.usefixtures("redis")
def test_what_is_wrong_with_a_limiter_shows_no_password(line: str, mode: int, reason: str, tmp_path: Path) -> None:
    path = accounts_file(tmp_path, f"{line}\n{ACCOUNT}")
    path.chmod(mode)
    with pytest.raises(ConfigurationError, match=reason) as caught:
        configured(path, ENVIRON)
    assert PASSWORD not in str(caught.value)


def test_no_option_and_no_source_takes_a_password() -> None:
    done = CliRunner().invoke(cli, ["list", "--limiter", URL])
    assert done.exit_code == 2
    assert "other users of this machine could read the password" in done.output
    assert CliRunner().invoke(cli, ["list", "--limiter", "http://localhost"]).exit_code == 2
    with pytest.raises(ConfigurationError, match="no password") as caught:
        Source(limiter=URL)
    assert PASSWORD not in str(caught.value) + done.output


def test_a_command_opens_its_limiter_and_closes_it(redis: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TAVUS_API_KEY", "key")
    monkeypatch.setenv("TAVUS_BASE_URL", "http://127.0.0.1:9")
    redis.answers = [b"0"] * 100
    CliRunner().invoke(cli, ["get", "tavus:c1", "--limiter", "redis://localhost"])
    assert redis.asked
    assert redis.is_closed
