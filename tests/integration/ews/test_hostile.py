"""An Exchange server that is hostile, or is somebody else: it stops its own mailbox, and learns no password it has not."""

from __future__ import annotations

import base64
import logging
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from mailcrm.errors import MailcrmError, NeedsReconnect, TransientError
from mailcrm.services.mail.ews import client, following, http, wire
from mailcrm.services.mail.signing_in import credentials
from mailcrm.services.mail.sync.engine import sync_mailbox
from tests.integration.ews.conftest import Exchange, connect
from tests.integration.sync.conftest import raw
from tests.servers.ews import EwsServer, Fault, _ok, _response

BOMB = b"<?xml version='1.0'?><!DOCTYPE s [<!ENTITY a 'ha'><!ENTITY b '&a;&a;'>]><s x='&b;'>&b;</s>"
ITEM = "<t:Create><t:Message><t:ItemId Id='%s' ChangeKey='C'/><t:Size>5</t:Size></t:Message></t:Create>"


@pytest.fixture
def box(sqlite_db: Path, server: EwsServer) -> Exchange:
    return connect(server)


def failed(box: Exchange) -> MailcrmError:
    report = sync_mailbox(box.mailbox_id)
    found = [error for error in (report.error, *report.folder_errors.values()) if error]
    assert found, "the server got away with it"
    return found[0]


def changes(items: str, state: str, *, last: bool = False) -> bytes:
    return _response(
        "SyncFolderItems",
        _ok(
            "SyncFolderItems",
            f"<m:SyncState>{state}</m:SyncState><m:IncludesLastItemInRange>{str(last).lower()}"
            f"</m:IncludesLastItemInRange><m:Changes>{items}</m:Changes>",
        ),
    )


@pytest.mark.parametrize(
    "answer",
    [BOMB, BOMB.decode().encode("utf-16"), b"<" * 2_000_000, b"<a>" * 400_000, b"", b"\0" * 100, b"<s:Envelope/>"],
    ids=["bomb", "bomb in UTF-16", "brackets", "depth", "nothing", "zeros", "empty"],
)
def test_what_is_no_answer_stops_its_mailbox_for_now(box: Exchange, server: EwsServer, answer: bytes) -> None:
    """Parsed nowhere where it could grow; the next pass goes on."""
    server.deliver(raw(1))
    server.hostile = lambda operation, _: (200, answer, {}) if operation == "SyncFolderItems" else None
    error = failed(box)
    assert isinstance(error, TransientError)
    assert error.code == "server.protocol"
    server.hostile = lambda *_: None
    box.change(next_try_at=None)
    box.sync()
    assert box.ledger()["Posteingang"].stored == 1


def test_an_answer_larger_than_what_was_asked_for_is_cut(
    box: Exchange, server: EwsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whole messages may be large, a list of changes not; packed or not."""
    monkeypatch.setattr(http, "MOST_ANSWER", 50_000)
    large = changes("<!-- " + "x" * 60_000 + " -->", "1", last=True)
    server.hostile = lambda operation, _: (200, large, {}) if operation == "SyncFolderItems" else None
    assert failed(box).code == "server.protocol"
    server.hostile = lambda *_: None
    box.change(next_try_at=None)
    server.deliver(raw(1) + b"x" * 80_000)
    box.sync()
    assert box.ledger()["Posteingang"].stored == 1


@contextmanager
def elsewhere() -> Iterator[tuple[str, list[str]]]:
    """A server of somebody else's; notes the sign-ins that it is given."""
    given: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, format: str, *args: Any) -> None:
            pass

        def do_POST(self) -> None:
            given.append(str(self.headers.get("Authorization")))
            self.send_response(401)
            self.send_header("WWW-Authenticate", "Basic realm=x")
            self.send_header("Content-Length", "0")
            self.end_headers()

        do_GET = do_POST  # noqa: N815

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as made:
        Thread(target=made.serve_forever, args=(0.05,), daemon=True).start()
        yield f"http://localhost:{made.server_address[1]}/EWS/Exchange.asmx", given
        made.shutdown()


@pytest.mark.parametrize("status", [302, 307])
def test_a_redirect_takes_no_password_anywhere(box: Exchange, server: EwsServer, status: int) -> None:
    with elsewhere() as (url, given):
        server.hostile = lambda *_: (status, b"", {"Location": url})
        assert isinstance(failed(box), TransientError)
        assert given == []


def test_listings_without_an_end_are_ended(box: Exchange, server: EwsServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Always another state, never the last: of folders, of a first listing, of changes, with something in them or not."""
    monkeypatch.setattr(following, "MOST_PAGES", 12)
    monkeypatch.setattr(following, "MOST_EMPTY", 5)
    monkeypatch.setattr(wire, "MOST_TURNS", 8)
    count = iter(range(10_000))

    def endless(full: bool) -> Any:
        def answer(operation: str, _: Any) -> Any:
            n = next(count)
            if operation == "SyncFolderItems":
                return 200, changes(ITEM % f"item{n}" if full else "", f"s{n}"), {}
            return None

        return answer

    def of_folders(operation: str, _: Any) -> Any:
        text = (
            f"<m:SyncState>f{next(count)}</m:SyncState><m:IncludesLastFolderInRange>false</m:IncludesLastFolderInRange>"
        )
        answer = _response(operation, _ok(operation, f"{text}<m:Changes/>"))
        return (200, answer, {}) if operation == "SyncFolderHierarchy" else None

    for hostile in (endless(False), endless(True), of_folders):
        server.hostile = hostile
        begun = len(server.calls)
        with box.open() as connection, pytest.raises(TransientError) as caught:
            connection.list_folders()
            connection.examine("Posteingang")
        assert caught.value.code == "imap.unavailable"
        assert len(server.calls) - begun < 60
    server.hostile = lambda *_: None
    server.deliver(raw(1))
    box.sync()
    server.hostile = endless(False)
    with box.open() as connection, pytest.raises(TransientError):
        connection.examine("Posteingang")


def test_ids_that_come_twice_or_are_endless_do_no_harm(box: Exchange, server: EwsServer) -> None:
    """One item under one UID, however often it is named; an id longer than an index takes is nobody's."""
    long = "x" * 5000
    listed = ITEM % "twin" + ITEM % "twin" + ITEM % long + ITEM % "" + ITEM % "&lt;&#10;'"
    server.hostile = lambda operation, _: (
        (200, changes(listed, "1", last=True), {}) if operation == "SyncFolderItems" else None
    )
    with box.open() as connection:
        status = connection.examine("Posteingang")
        assert status.exists == 2
        assert list(connection.fetch_raw(connection.list_uids(1, 9))) == [], "neither is there when it is asked for"


def test_folders_that_come_twice_are_one(box: Exchange, server: EwsServer) -> None:
    folder = (
        "<t:Create><t:Folder><t:FolderId Id='same' ChangeKey='A'/><t:ParentFolderId Id='p' ChangeKey='A'/>"
        "<t:FolderClass>IPF.Note</t:FolderClass><t:DisplayName>%s</t:DisplayName></t:Folder></t:Create>"
    )
    inside = (
        "<m:SyncState>1</m:SyncState><m:IncludesLastFolderInRange>true</m:IncludesLastFolderInRange>"
        f"<m:Changes>{folder % 'One'}{folder % 'Two'}{folder.replace('same', 'y' * 3000) % 'Long'}</m:Changes>"
    )
    server.hostile = lambda operation, _: (
        (200, _response(operation, _ok(operation, inside)), {}) if operation == "SyncFolderHierarchy" else None
    )
    with box.open() as connection:
        assert [folder.name for folder in connection.list_folders()] == ["Two"]


@pytest.mark.parametrize("asked", [-5000, 10**9, 10**400])
def test_any_back_off_is_a_wait_that_ends(box: Exchange, server: EwsServer, asked: int) -> None:
    """Neither at once, for ever, nor next year."""
    server.faults.append(Fault("SyncFolderItems", "ErrorServerBusy", back_off_ms=asked))
    error = failed(box)
    assert isinstance(error, TransientError)
    assert 1 <= (error.retry_after or 60) <= 900


@pytest.mark.parametrize("header", ["-7", "9" * 400, "soon"])
def test_any_retry_after_is_a_wait_that_ends(box: Exchange, server: EwsServer, header: str) -> None:
    server.hostile = lambda *_: (503, b"down", {"Retry-After": header})
    error = failed(box)
    assert isinstance(error, TransientError)
    assert 1 <= (error.retry_after or 60) <= 900


@pytest.mark.parametrize("how", ["401", "garbage"])
def test_no_failure_says_the_password(
    box: Exchange, server: EwsServer, how: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Neither in the error, its causes and their tracebacks, nor in anybody's log, however much is logged."""
    caplog.set_level(logging.DEBUG)
    server.faults.append(Fault("", how, times=9))
    access, planted = credentials(box.mailbox_id), "planted-" + "secret"
    with pytest.raises(MailcrmError) as caught:
        client.connect(access.imap, "ann@home.test", planted, box.mailbox_id)
    said = "".join(traceback.format_exception(caught.value)) + repr(caught.value) + caplog.text
    assert planted not in said
    assert base64.b64encode(f"ann@home.test:{planted}".encode()).decode() not in said


@pytest.fixture
def ntlm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[EwsServer]:
    """As Exchange is when nobody changed it: Negotiate and NTLM, no Basic."""
    users = tmp_path / "users"
    users.write_text(":ann@home.test:secret\nHOME:ann:secret\n")
    monkeypatch.setenv("NTLM_USER_FILE", str(users))
    with EwsServer(ntlm=True) as made:
        yield made


def test_ntlm_signs_in_syncs_and_sends(sqlite_db: Path, ntlm: EwsServer) -> None:
    """The way that an Exchange of one's own offers at first, over our transport; the password never leaves as it is."""
    seen: list[str] = []
    ntlm.hostile = lambda _, headers: seen.append(str(headers.get("Authorization")))  # type: ignore[func-returns-value]
    ntlm.deliver(raw(1))
    box = connect(ntlm)
    box.sync()
    assert box.ledger()["Posteingang"].stored == 1
    assert not any(base64.b64encode(b"secret")[:6].decode() in each or "Basic" in each for each in seen)


@pytest.mark.parametrize("user", ["ann@home.test", "HOME\\ann"])
def test_ntlm_takes_both_spellings_of_a_user_and_refuses_a_wrong_password(
    sqlite_db: Path, ntlm: EwsServer, user: str
) -> None:
    ntlm.user = user
    connect(ntlm).open().close()
    with pytest.raises(NeedsReconnect) as caught:
        connect(ntlm, password="wrong").open()
    assert caught.value.code == "imap.wrong_password"
