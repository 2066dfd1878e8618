"""The server in memory speaks as Dovecot does: the same commands, the same shape of answers.

Numbers that a server chooses (UIDVALIDITY, modification sequences, object ids) and its free text are taken out; the
order of items in a FETCH answer, of flags and of untagged lines is a server's own. Everything else must be equal.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Callable

import pytest

from tests.fakes.imap.account import Account, Quirks
from tests.fakes.imap.session import Session
from tests.integration.sync.conftest import raw
from tests.servers.dovecot import DovecotServer

_OFFERS = (
    "CONDSTORE QRESYNC ENABLE SPECIAL-USE LIST-EXTENDED LIST-STATUS UIDPLUS MOVE ESEARCH UNSELECT IDLE ID NAMESPACE"
).split()
Speak = Callable[[bytes], bytes]


def _append(n: int, flags: str = "") -> bytes:
    data = raw(n)
    return b'APPEND INBOX (%s) " 1-Feb-2024 10:00:00 +0000" {%d+}\r\n%s' % (flags.encode(), len(data), data)


# (who, command): two sessions of one user. `R` reads, as the engine does; `W` is another program.
SCRIPT: list[tuple[str, bytes]] = [
    ("W", _append(1)),
    ("W", _append(2, "\\Seen")),
    ("W", _append(3)),
    ("W", b"CREATE Arbeit"),
    ("R", b'LIST "" "*"'),
    ("R", b'LIST "" "*" RETURN (SPECIAL-USE STATUS (MESSAGES UIDNEXT UIDVALIDITY HIGHESTMODSEQ))'),
    ("R", b'LIST "" ""'),
    ("R", b"STATUS INBOX (MESSAGES UIDNEXT UIDVALIDITY UNSEEN HIGHESTMODSEQ)"),
    ("R", b"STATUS Nowhere (MESSAGES)"),
    ("R", b"EXAMINE INBOX"),
    ("R", b"UID SEARCH UID 1:3"),
    ("R", b"UID SEARCH UID 9:20"),
    ("R", b"UID SEARCH RETURN (ALL COUNT) UID 1:*"),
    ("R", b"UID SEARCH ALL"),
    ("R", b'UID SEARCH HEADER Message-ID "2@sync.test"'),
    ("R", b"UID SEARCH UNSEEN"),
    ("R", b"UID FETCH 1:3 (FLAGS INTERNALDATE RFC822.SIZE)"),
    ("R", b"UID FETCH 1:2 (BODY.PEEK[])"),
    ("R", b"UID FETCH 3 (FLAGS BODY.PEEK[])"),
    ("R", b"UID FETCH 2 BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)]"),
    ("R", b"UID FETCH 1 (BODY.PEEK[HEADER] BODY.PEEK[TEXT])"),
    ("R", b"UID FETCH 1 (BODY.PEEK[TEXT]<2.3>)"),
    ("R", b"UID FETCH 7:9 (FLAGS)"),
    ("R", b"FETCH 2 (UID FLAGS)"),
    ("W", b"SELECT INBOX"),
    ("W", b"UID STORE 1 +FLAGS (\\Flagged)"),
    ("W", b"UID STORE 1 +FLAGS.SILENT (\\Seen)"),
    ("R", b"UID FETCH 2 (FLAGS)"),
    ("R", b"NOOP"),
    ("W", b"UID COPY 2 Arbeit"),
    ("W", b"UID COPY 2 Nowhere"),
    ("W", b"UID MOVE 3 Arbeit"),
    ("R", b"UID FETCH 3 (FLAGS)"),
    ("R", b"NOOP"),
    ("W", _append(4)),
    ("W", b"UID STORE 2 +FLAGS (\\Deleted)"),
    ("W", b"UID EXPUNGE 2"),
    ("R", b"UID SEARCH UID 1:*"),
    ("R", b"NOOP"),
    ("R", b"UID FETCH 1:* (FLAGS) (CHANGEDSINCE 1)"),
    ("R", b"EXAMINE Arbeit"),
    ("R", b"UID FETCH 1:* (FLAGS)"),
    ("R", b"ENABLE QRESYNC"),
    ("R", b"EXAMINE INBOX"),
    ("W", b"UID STORE 1 -FLAGS (\\Flagged)"),
    ("W", b"UID STORE 4 +FLAGS.SILENT (\\Deleted)"),
    ("W", b"UID EXPUNGE 4"),
    ("R", b"NOOP"),
    ("R", b"UID FETCH 1:* (FLAGS) (CHANGEDSINCE 1 VANISHED)"),
    ("R", b"FROBNICATE"),
    ("R", b"UNSELECT"),
    ("R", b"LOGOUT"),
]


def _fake(account: Account) -> Speak:
    session = Session(account)
    session.greeting()
    return session.feed


def _real(server: DovecotServer, user: str) -> Speak:
    sock = socket.create_connection((server.host, server.plain_port), 10)
    sock.settimeout(10)
    stream = sock.makefile("rb")
    stream.readline()

    def speak(command: bytes) -> bytes:
        sock.sendall(command)
        tag = command.partition(b" ")[0]
        out = b""
        while True:
            line = stream.readline()
            out += line
            if found := re.search(rb"\{(\d+)\}\r\n$", line):
                out += stream.read(int(found[1]))
            elif line.startswith(tag + b" ") or not line:
                return out

    return speak


_NOISE = (
    (rb"\r\n\* (?:OK \[PERMANENTFLAGS|FLAGS|\d+ RECENT|NO \[EXPUNGEISSUED\]|OK \[UNSEEN)[^\r]*(?=\r\n)", b""),
    (rb"(UIDVALIDITY|HIGHESTMODSEQ) \d+", rb"\1 N"),
    (rb"MODSEQ \(\d+\)", b"MODSEQ=N"),
    (rb" ?\[HIGHESTMODSEQ N\] (?=NOOP)", b""),
    (rb"(APPENDUID|COPYUID) \d+", rb"\1 N"),
    (rb"(OK|NO|BAD|BYE)((?: \[[^\]]*\])?)[^\r\n]*", rb"\1\2"),
    (rb'TAG "[^"]*"', b"TAG"),
    (rb"\\(?:HasNoChildren|UnMarked|Marked|Recent|HasChildren) ?", b""),
    (rb"\[(?:CLOSED|NONEXISTENT|TRYCREATE|READ-ONLY|CLIENTBUG|ALREADYEXISTS)\]", b"[code]"),
    (rb"BAD \[code\]", b"BAD"),
    (rb"(NO|OK) \[code\]", rb"\1"),
)


def _shape(answer: bytes) -> list[bytes]:
    """Return an answer's lines (literals within them) without what is a server's own."""
    answer = b"\r\n" + answer
    for pattern, plain in _NOISE:
        answer = re.sub(pattern, plain, answer)
    lines, at = [], 0
    while at < len(answer):
        end = answer.find(b"\r\n", at)
        end = len(answer) if end < 0 else end
        line = answer[at:end]
        while found := re.search(rb"\{(\d+)\}$", line):
            rest = end + 2 + int(found[1])
            stop = answer.find(b"\r\n", rest)
            line, end = line + answer[end:stop], stop
        at = end + 2
        if line.strip():
            lines.append(_sorted_items(line))
    return sorted(lines)


def _sorted_items(line: bytes) -> bytes:
    found = re.fullmatch(rb"(\* \d+ FETCH |\* STATUS \S+ |\* LIST )\((.*)\)((?: \"/\" .*)?)", line, re.DOTALL)
    if found is None:
        return line
    inside = re.sub(rb"FLAGS \(([^)]*)\)", lambda m: b"FLAGS=" + b",".join(sorted(m[1].split())), found[2])
    pairs = re.findall(
        rb'BODY\[[^\]]*\]\S* (?:\{\d+\}\r\n.*|".*?")|\S+ ".*?"|\S+=\S*|\S+ [^ =]+|\S+', inside, re.DOTALL
    )
    return found[1] + b" | ".join(sorted(pairs)) + found[3]


@pytest.fixture(scope="module")
def both(dovecot: DovecotServer) -> list[tuple[bytes, list[bytes], list[bytes]]]:
    """Run the script against both; return (command, Dovecot's shape, the fake's shape)."""
    dovecot.add_user("transcript")
    account = Account(
        Quirks(frozenset(_OFFERS), echo=False),
        [("INBOX", ""), ("Drafts", "\\Drafts"), ("Junk", "\\Junk"), ("Trash", "\\Trash"), ("Sent", "\\Sent")],
    )
    real = {who: _real(dovecot, "transcript") for who in "RW"}
    fake = {who: _fake(account) for who in "RW"}
    out: list[tuple[bytes, list[bytes], list[bytes]]] = []
    for who in "RW":
        real[who](b"a LOGIN transcript secret\r\n")
        fake[who](b"a LOGIN transcript secret\r\n")
    for n, (who, command) in enumerate(SCRIPT):
        line = b"t%d %s\r\n" % (n, command)
        out.append((who.encode() + b" " + command, _shape(real[who](line)), _shape(fake[who](line))))
    return out


@pytest.mark.parametrize("n", range(len(SCRIPT)), ids=lambda n: f"{n} {SCRIPT[n][0]} {SCRIPT[n][1][:50].decode()}")
def test_the_fake_answers_as_dovecot_does(both: list[tuple[bytes, list[bytes], list[bytes]]], n: int) -> None:
    """RFC 3501, 4315, 4731, 5161, 5819, 6154, 6851, 7162: what the engine and other programs say."""
    _, real, fake = both[n]
    assert fake == real
