"""The one client: its waits, by a clock of the test's own, and what it makes of answers."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minemap_assets.errors import (
    AuthenticationError,
    BadInputError,
    MinemapError,
    NotFoundError,
    PermanentError,
    QuotaError,
    RetryableError,
)
from minemap_assets.net.client import Client
from minemap_assets.net.connection import Counters
from minemap_assets.net.policy import (
    ClientPolicy,
    Clock,
    StoppedError,
    StopSignal,
    TokenBucket,
    error_for_status,
    jitter,
    retry_after,
)

URL = "https://example.com/data"
TODAY = datetime(2024, 5, 1, 12, 0, tzinfo=UTC)
FREE = ClientPolicy(rate=1e6, burst=1000, attempts=8, timeout=0.8)


@dataclass
class FakeTime:
    """Time that passes only by sleeping."""

    seconds: float = 0.0
    slept: list[float] = field(default_factory=list)

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.seconds += seconds

    def as_clock(self, chance: float = 1.0) -> Clock:
        return Clock(self.sleep, lambda: self.seconds, lambda: TODAY + timedelta(seconds=self.seconds), lambda: chance)


@dataclass
class Script:
    """Answers in a given order, the last one for ever."""

    answers: list[httpx.Response | Exception]
    asked: list[httpx.Request] = field(default_factory=list)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        answer = self.answers[min(len(self.asked), len(self.answers)) - 1]
        if isinstance(answer, Exception):
            raise answer
        return httpx.Response(answer.status_code, headers=answer.headers, content=answer.content)


def unfound(name: str = "example.com") -> httpx.ConnectError:
    """What the system says of a name it does not know, as httpx passes it on."""
    error = httpx.ConnectError(f"no such name: {name}")
    error.__cause__ = socket.gaierror(socket.EAI_NONAME, "Name or service not known")
    return error


def client(
    script: Script, clock: FakeTime, sign: Callable[[str, str | None], str] | None = None, **rules: object
) -> Client:
    policy = ClientPolicy(**({"rate": 1e6, "burst": 1000, "attempts": 5} | rules))  # type: ignore[arg-type]
    return Client("service", policy, sign=sign, transport=httpx.MockTransport(script), clock=clock.as_clock())


def answers(*statuses: int, **headers: str) -> Script:
    return Script([httpx.Response(s, headers=headers if s >= 400 else {}, content=b'{"a": 1}') for s in statuses])


def test_without_a_network_a_service_that_was_never_reached_is_given_up_soon() -> None:
    script, clock = Script([unfound()]), FakeTime()
    with pytest.raises(RetryableError, match=r"cannot be found, as without a network .*after 3 attempts; check the"):
        client(script, clock, attempts=8, backoff=0.5).get_json(URL)
    assert len(script.asked) == 3
    assert clock.seconds == pytest.approx(1.5)


def test_a_service_that_was_reached_is_waited_for_though_its_name_is_not_known_for_a_while() -> None:
    good = httpx.Response(200, content=b'{"a": 1}')
    script, clock = Script([good, *[unfound()] * 6, good]), FakeTime()
    asking = client(script, clock, attempts=8)
    assert asking.get_json(URL) == asking.get_json(URL) == {"a": 1}
    assert len(script.asked) == 8


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (401, AuthenticationError),
        (403, AuthenticationError),
        (402, QuotaError),
        (404, NotFoundError),
        (410, NotFoundError),
        (408, RetryableError),
        (425, RetryableError),
        (429, RetryableError),
        (500, RetryableError),
        (502, RetryableError),
        (503, RetryableError),
        (504, RetryableError),
        (400, PermanentError),
        (422, PermanentError),
        (501, PermanentError),
    ],
)
def test_every_status_has_its_meaning(status: int, kind: type[MinemapError]) -> None:
    script, clock = answers(status), FakeTime()
    with pytest.raises(MinemapError, match=str(status)) as caught:
        client(script, clock).get_json(URL)
    assert type(caught.value) is kind
    assert len(script.asked) == (5 if kind is RetryableError else 1)
    assert error_for_status(200, "x") is None


def test_failures_are_repeated_until_one_succeeds() -> None:
    script, clock = answers(503, 500, 429, 200), FakeTime()
    asking = client(script, clock)
    assert asking.get_json(URL) == {"a": 1}
    assert asking.counters == Counters(requests=4, retries=3, bytes_read=8, waited=7.0)


def test_waits_grow_and_are_random_from_nothing_on() -> None:
    rules = ClientPolicy(backoff=2.0, longest_wait=10.0)
    most = [jitter(rules, n, Clock(chance=lambda: 1.0)) for n in range(1, 6)]
    assert most == [2.0, 4.0, 8.0, 10.0, 10.0]
    assert jitter(rules, 3, Clock(chance=lambda: 0.0)) == 0.0


def test_retry_after_is_obeyed_in_both_forms() -> None:
    moment = format_datetime(TODAY + timedelta(seconds=30), usegmt=True)
    for said in ("30", moment):
        script, clock = answers(429, 200, **{"Retry-After": said}), FakeTime()
        client(script, clock).get_json(URL)
        assert 30.0 <= clock.seconds <= 31.0


def test_retry_after_holds_back_everybody() -> None:
    clock = FakeTime()
    bucket = TokenBucket(100.0, 100, clock.as_clock())
    bucket.pause(5.0)
    assert bucket.take() == pytest.approx(5.0)


def test_a_wait_that_is_too_long_is_a_matter_of_quota() -> None:
    script, clock = answers(429, 200, **{"Retry-After": "86400"}), FakeTime()
    with pytest.raises(QuotaError, match="86400 s"):
        client(script, clock).get_json(URL)
    assert clock.slept == []


@given(st.one_of(st.none(), st.text(max_size=30), st.floats().map(str), st.integers().map(str)))
def test_any_retry_after_is_understood_or_ignored(text: str | None) -> None:
    seconds = retry_after(text, Clock(now=lambda: TODAY))
    assert seconds is None or 0.0 <= seconds < float("inf")


def test_network_failures_are_repeated_and_wrong_addresses_are_not() -> None:
    script = Script([httpx.ConnectError("no route"), httpx.ReadTimeout("silence"), httpx.Response(200, content=b"{}")])
    assert client(script, FakeTime()).get_json(URL) == {}
    with pytest.raises(BadInputError, match="no web address"):
        Client("service", FREE).get_json("s3://bucket/file")


def test_garbled_json_is_fetched_again() -> None:
    script = Script([httpx.Response(200, content=b'{"a": '), httpx.Response(200, content=b'{"a": 2}')])
    assert client(script, FakeTime()).get_json(URL) == {"a": 2}
    with pytest.raises(RetryableError, match=r"no JSON.*after 5 attempts"):
        client(Script([httpx.Response(200, content=b"<html>")]), FakeTime()).get_json(URL)


def test_a_refusal_is_answered_with_a_fresh_signature() -> None:
    refused: list[str | None] = []

    def sign(url: str, spent: str | None) -> str:
        refused.append(spent)
        return f"{url}?sig={len(refused)}"

    script = answers(200, 403, 200)
    asking = client(script, FakeTime(), sign)
    asking.get_json(URL)
    asking.get_json(URL)
    assert refused == [None, None, f"{URL}?sig=2"]
    assert [r.url.params["sig"] for r in script.asked] == ["1", "2", "3"]


def test_signatures_that_expire_again_and_again_are_renewed_as_often_as_attempts_allow() -> None:
    clock = FakeTime()
    script = answers(403, 403, 503, 403, 200)
    assert client(script, clock, lambda url, _: f"{url}?sig=1").get_json(URL) == {"a": 1}
    assert clock.slept == [0.5] * 8, "only the failure that was no refusal is waited for"
    with pytest.raises(AuthenticationError):
        client(answers(403, 403, 503, 403, 403), FakeTime(), lambda url, _: url).get_json(URL)


def test_fresh_signatures_refused_twice_in_a_row_are_a_matter_of_the_account() -> None:
    script = answers(403)
    with pytest.raises(AuthenticationError, match="refuses access"):
        client(script, FakeTime(), lambda url, _: url).get_json(URL)
    assert len(script.asked) == 3


def test_signatures_and_passwords_stay_out_of_messages() -> None:
    with pytest.raises(PermanentError) as caught:
        client(answers(400), FakeTime()).get_json("https://user:secret@example.com/data?sig=hidden")
    assert str(caught.value).startswith("service (https://example.com/data) does not accept")
    assert "hidden" not in str(caught.value)


@given(rate=st.floats(0.5, 100.0), burst=st.integers(1, 20), pauses=st.lists(st.floats(0.0, 5.0), max_size=40))
def test_a_bucket_never_exceeds_its_rate(rate: float, burst: int, pauses: list[float]) -> None:
    clock = FakeTime()
    bucket = TokenBucket(rate, burst, clock.as_clock())
    turns = []
    for pause in pauses:
        clock.seconds += pause
        bucket.take()
        turns.append(clock.seconds)
    for first, begin in enumerate(turns):
        for last in range(first, len(turns)):
            assert last - first + 1 <= burst + rate * (turns[last] - begin) + 1e-6


def test_no_more_requests_run_at_a_time_than_allowed() -> None:
    running, most, lock = 0, 0, threading.Lock()

    def slow(_: httpx.Request) -> httpx.Response:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        time.sleep(0.02)
        with lock:
            running -= 1
        return httpx.Response(200, content=b"{}")

    rules = ClientPolicy(rate=1e6, burst=1000, concurrency=3)
    with Client("service", rules, transport=httpx.MockTransport(slow)) as asking:
        threads = [threading.Thread(target=asking.get_json, args=(URL,)) for _ in range(12)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert asking.counters.requests == 12
    assert most == 3


def test_clients_of_one_service_keep_its_limits_together() -> None:
    clock, script = FakeTime(), answers(200)
    shared = clock.as_clock()
    rules = ClientPolicy(rate=2.0, burst=1, concurrency=1)
    several = [Client("service", rules, transport=httpx.MockTransport(script), clock=shared) for _ in range(3)]
    for asking in several * 2:
        asking.get_json(URL)
    assert clock.seconds == pytest.approx(2.5), "six requests at two a second"
    Client("another", rules, transport=httpx.MockTransport(script), clock=shared).get_json(URL)
    assert clock.seconds == pytest.approx(2.5)


@pytest.mark.parametrize("headers", [{}, {"Retry-After": "50"}])
def test_a_stop_ends_a_long_wait_within_a_second(headers: dict[str, str]) -> None:
    stop, script, ended = StopSignal(), answers(503, **headers), threading.Event()
    rules = ClientPolicy(backoff=60.0, attempts=9)
    clock = Clock(chance=lambda: 1.0)
    asking = Client("stopped", rules, transport=httpx.MockTransport(script), clock=clock, stop=stop)

    def ask() -> None:
        with pytest.raises(StoppedError, match="run was stopped"):
            asking.get_json(URL)
        ended.set()

    threading.Thread(target=ask, daemon=True).start()
    while not script.asked:
        time.sleep(0.01)
    stop.set()
    assert ended.wait(2.0)
    with pytest.raises(StoppedError):
        asking.get_json(URL)
    assert len(script.asked) == 1


def test_a_stop_leaves_an_answer_at_its_next_piece() -> None:
    stop = StopSignal()
    sent: list[int] = []

    def endless() -> Iterator[bytes]:
        while len(sent) < 1000:
            sent.append(1)
            if len(sent) == 3:
                stop.set()
            yield b"x" * 100_000

    transport = httpx.MockTransport(lambda _: httpx.Response(200, content=endless()))
    asking = Client("service", FREE, transport=transport, stop=stop)
    with pytest.raises(StoppedError):
        asking.request("GET", URL)
    assert len(sent) == 3


def test_a_server_without_ranges_is_recognised() -> None:
    with pytest.raises(PermanentError, match="does not serve parts"):
        client(answers(200), FakeTime()).get_range(URL, 0, 10)
