"""The watched connection as a wire transcript: bytes in, events and commands out (RFC 2177, sync.md A9 #7–#10)."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mailcrm.services.mail.watch.machine import (
    ANSWER_S,
    CHECK_S,
    MAX_LINE,
    MAX_LITERAL,
    MAX_TALK,
    Changed,
    Event,
    Idler,
    Lost,
    Ready,
)

INBOX = b'"INBOX"'
RENEW = 540.0


def machine(**options: Any) -> Idler:
    given: dict[str, Any] = {"renew_s": RENEW, "poll_s": 60.0} | options
    return Idler(INBOX, 0.0, **given)


def idling(**options: Any) -> Idler:
    found = machine(**options)
    assert found.take() == b'w1 EXAMINE "INBOX"\r\n'
    assert found.receive(b"* 3 EXISTS\r\n* 0 RECENT\r\n* OK [UIDVALIDITY 7] x\r\nw1 OK [READ-ONLY] done\r\n", 0) == []
    assert found.take() == b"w2 IDLE\r\n"
    assert found.receive(b"+ idling\r\n", 0) == [Ready("idle")]
    return found


def test_it_opens_read_only_and_idles() -> None:
    """What the folder holds when it is opened is no push; EXAMINE changes nothing on the server."""
    found = idling()
    assert found.state == "idling"
    assert found.due == RENEW


@pytest.mark.parametrize(
    ("line", "fresh"),
    [
        (b"* 4 EXISTS", True), (b"* 1 RECENT", True), (b"* 2 EXPUNGE", False), (b"* 2 FETCH (FLAGS (\\Seen))", False),
        (b"* VANISHED 300:310", False), (b"* 4 exists", True),
    ],
)  # fmt: skip
def test_each_kind_of_push(line: bytes, fresh: bool) -> None:
    assert idling().receive(line + b"\r\n", 1) == [Changed(fresh)]


@pytest.mark.parametrize(
    "line", [b"* OK Still here", b"* NO hm", b"* BAD hm", b"* OK [ALERT] disk", b"* FLAGS (\\Seen)", b"", b"* ", b"+ x"]
)
def test_what_is_no_push(line: bytes) -> None:
    """Dovecot says "OK Still here" every two minutes."""
    found = idling()
    assert found.receive(line + b"\r\n", 1) == []
    assert found.state == "idling"


def test_it_renews_and_a_push_in_between_counts() -> None:
    found = idling()
    assert found.tick(RENEW - 1) == []
    assert found.take() == b""
    assert found.tick(RENEW) == []
    assert found.take() == b"DONE\r\n"
    assert found.receive(b"* 4 EXISTS\r\nw2 OK done\r\n", RENEW + 1) == [Changed(True)]
    assert found.take() == b"w3 IDLE\r\n"
    assert found.receive(b"+ go\r\n", RENEW + 1) == []  # it was ready before
    assert found.due == RENEW + 1 + RENEW


def test_untagged_lines_before_the_plus() -> None:
    """A9 #10: imapclient is left half in IDLE."""
    found = machine()
    found.receive(b"w1 OK\r\n", 0)
    assert found.receive(b"* 9 EXISTS\r\n+ idling\r\n", 0) == [Changed(True), Ready("idle")]
    assert found.state == "idling"


def test_the_plus_may_come_late_but_not_never() -> None:
    found = machine()
    found.receive(b"w1 OK\r\n", 0)
    assert found.tick(ANSWER_S - 1) == []
    assert found.receive(b"+\r\n", ANSWER_S - 0.5) == [Ready("idle")]
    late = machine()
    late.receive(b"w1 OK\r\n", 0)
    assert late.tick(ANSWER_S) == [Lost("timeout")]


def test_bye_ends_it_at_once_and_repeated_ones_are_not_read() -> None:
    """Yandex repeats BYE until the client closes (providers.md); A9 #8."""
    found = idling()
    assert found.receive(b"* BYE Session expired\r\n* BYE again\r\n* 4 EXISTS\r\n", 1) == [
        Lost("bye", "* BYE Session expired")
    ]
    assert found.receive(b"* BYE again\r\n", 1) == []
    assert found.take() == b""


def test_the_end_of_the_stream_ends_it() -> None:
    """A9 #7: imapclient returns [] for ever."""
    assert idling().receive(b"", 1) == [Lost("closed")]


def test_a_half_open_connection_is_found_at_the_renewal() -> None:
    """A router forgot the connection: nothing ever comes, and nothing says so."""
    found = idling()
    found.tick(RENEW)
    assert found.tick(RENEW + ANSWER_S) == [Lost("timeout")]


def test_after_a_sleep_it_is_found_at_once() -> None:
    found = idling()
    found.check(100)
    assert found.take() == b"DONE\r\n"
    assert found.tick(100 + CHECK_S) == [Lost("timeout")]
    alive = idling()
    alive.check(100)
    alive.receive(b"w2 OK\r\n+\r\n", 101)
    assert alive.due > 200
    opening = machine()
    opening.check(1)
    assert opening.due == 1 + CHECK_S


@pytest.mark.parametrize("answer", [b"w2 NO not now\r\n", b"w2 BAD what\r\n"])
def test_where_idle_is_refused_it_polls(answer: bytes) -> None:
    found = machine()
    found.receive(b"w1 OK\r\n", 0)
    found.take()
    assert found.receive(answer, 0) == []
    assert found.take() == b'w3 STATUS "INBOX" (MESSAGES UIDNEXT UIDVALIDITY UNSEEN)\r\n'
    assert found.receive(b'* STATUS "INBOX" (MESSAGES 3 UIDNEXT 4)\r\nw3 OK\r\n', 0) == [Ready("poll")]
    assert found.due == 60


def test_an_idle_that_is_over_at_once_is_not_asked_for_for_ever() -> None:
    found = idling()
    tag, sent = 2, 0
    while found.mode == "idle":
        found.receive(b"w%d OK over\r\n+\r\n" % tag, 1)
        tag += 1
        sent += 1
        assert sent < 10
    assert b"STATUS" in found.take()


def test_polling_compares_counts() -> None:
    found = machine(can_idle=False, condstore=True)
    ask = b'STATUS "INBOX" (MESSAGES UIDNEXT UIDVALIDITY UNSEEN HIGHESTMODSEQ)\r\n'
    assert found.take() == b"w1 " + ask
    assert found.receive(b"* STATUS {5}\r\nINBOX (messages 3 UIDNEXT 4)\r\nw1 OK\r\n", 0) == [Ready("poll")]
    found.tick(60)
    assert found.take() == b"w2 " + ask
    assert found.receive(b"* STATUS INBOX (MESSAGES 3  UIDNEXT 4)\r\nw2 OK\r\n", 60) == []
    found.tick(120)
    assert found.receive(b"* STATUS INBOX (MESSAGES 4 UIDNEXT 5)\r\nw3 OK\r\n", 120) == [Changed(True)]
    found.tick(180)
    assert found.receive(b"w4 NO gone\r\n", 180) == [Lost("refused", "NO gone")]


def test_other_folders_are_asked_for_between_two_idles() -> None:
    found = machine(others=(b'"Work"', b'"Gone"'))
    found.take()
    found.receive(b"w1 OK\r\n", 0)
    assert found.take().startswith(b'w2 STATUS "Work"')
    found.receive(b"* STATUS Work (MESSAGES 1)\r\nw2 OK\r\n", 0)
    assert found.take().startswith(b'w3 STATUS "Gone"')
    found.receive(b"w3 NO no such mailbox\r\n", 0)
    assert found.take() == b"w4 IDLE\r\n"
    assert found.receive(b"+\r\n", 0) == [Ready("idle")]
    assert found.due == 60  # sooner than a renewal: the others wait for it
    found.tick(60)
    found.take()
    found.receive(b"w4 OK\r\n", 60)
    assert found.take().startswith(b'w5 STATUS "Work"')
    assert found.receive(b"* STATUS Work (MESSAGES 2)\r\nw5 OK\r\n", 60) == [Changed(True)]
    assert found.take() == b"w6 IDLE\r\n"


def test_a_folder_that_is_gone_and_garbage() -> None:
    missing = machine()
    assert missing.receive(b"w1 NO [NONEXISTENT] no\r\n", 0) == [Lost("missing", "NO [NONEXISTENT] no")]
    assert idling().receive(b"HTTP/1.1 400 Bad Request\r\n", 0) == [Lost("garbage", "HTTP/1.1 400 Bad Request")]


def test_what_is_endless_is_cut() -> None:
    assert idling().receive(b"* OK " + b"x" * MAX_LINE, 0) == [Lost("garbage")]
    assert idling().receive(b"* 1 FETCH {%d}\r\n" % (MAX_LITERAL + 1), 0) == [Lost("garbage")]
    found = idling()
    line = b"* OK " + b"x" * 60_000 + b"\r\n"
    events: list[Event] = []
    for _ in range(MAX_TALK // len(line) + 2):
        events += found.receive(line, 0)
    assert events == [Lost("flood")]


def test_a_literal_is_no_line() -> None:
    body = b"* 9 EXISTS\r\nw2 OK\r\n"
    data = b"* 2 FETCH (BODY[] {%d}\r\n%s)\r\n* 4 EXISTS\r\n" % (len(body), body)
    assert idling().receive(data, 0) == [Changed(False), Changed(True)]


LINES = st.sampled_from(
    [
        b"* 4 EXISTS\r\n", b"* 1 RECENT\r\n", b"* 2 EXPUNGE\n", b"* 2 FETCH (FLAGS (\\Seen))\r\n", b"* VANISHED 3\r\n",
        b"* OK Still here\r\n", b"* 2 FETCH (X {5}\r\n* 9 E)\r\n", b"+ go\r\n", b"w1 OK\r\n", b"w2 OK\r\n", b"w2 NO\r\n",
        b"w3 OK\r\n", b"* BYE\r\n", b"\r\n", b"\xff\x00\r\n", b"* STATUS {5}\r\nINBOX (MESSAGES 3)\r\n", b"* 1 X {0}\r\n",
    ]
)  # fmt: skip
STREAM = st.one_of(st.lists(LINES, max_size=20).map(b"".join), st.binary(max_size=300))


@settings(max_examples=400)
@given(STREAM, st.lists(st.integers(1, 40), max_size=60), st.booleans())
@example(b"w1 OK\r\n+ go\r\n* 2 FETCH (X {5}\r\n* 9 E)\r\n* 4 EXISTS\r\n", [1] * 60, True)
def test_however_the_bytes_are_cut_the_events_are_the_same(data: bytes, cuts: list[int], can_idle: bool) -> None:
    """A9 #9: a line in two TCP segments must not put the reader out of step."""
    whole, pieces = machine(can_idle=can_idle), machine(can_idle=can_idle)
    expected = whole.receive(data, 0) if data else []
    events: list[Event] = []
    rest = data
    for cut in cuts:
        if rest:
            events += pieces.receive(rest[:cut], 0)
            rest = rest[cut:]
    if rest:
        events += pieces.receive(rest, 0)
    assert events == expected
    assert (pieces.take(), pieces.state, pieces.mode, pieces.due) == (whole.take(), whole.state, whole.mode, whole.due)


@settings(max_examples=300)
@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("bytes"), LINES), st.tuples(st.just("bytes"), st.binary(min_size=1, max_size=30)),
            st.tuples(st.just("wait"), st.floats(0, 700)), st.tuples(st.just("check"), st.just(0)),
        ),
        max_size=40,
    ),
    st.booleans(),
)  # fmt: skip
def test_whatever_comes_it_never_waits_for_ever(story: list[tuple[str, Any]], can_idle: bool) -> None:
    """In every state there is a time at which it does something; a lost connection stays lost and says nothing."""
    found, now, lost, ready = machine(can_idle=can_idle), 0.0, 0, 0
    for kind, value in story:
        events: list[Event] = []
        if kind == "bytes":
            events = found.receive(value, now)
        elif kind == "wait":
            now += value
            events = found.tick(now)
        else:
            found.check(now)
        lost += sum(isinstance(event, Lost) for event in events)
        ready += sum(isinstance(event, Ready) for event in events)
        if lost:
            assert found.take() == b""
        else:
            assert found.due <= now + max(RENEW, ANSWER_S)
            assert found.due > now or kind != "wait"
        assert not any(isinstance(event, Lost) for event in events[:-1])
    assert lost <= 1
    assert ready <= 1
