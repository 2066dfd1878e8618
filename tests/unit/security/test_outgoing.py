"""Threat 6: every outgoing connection goes through one guard, `services/mail/providers/hosts.py`.

A module that imports a networking library, or makes a socket, is named here with what it uses and why that is safe; a new
one fails until somebody has looked at it. What leads to addresses that others chose opens its sockets with
`hosts.open_socket` (tests/integration/security/test_guard.py asks each at run time, at the socket itself).
"""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import mailcrm
from tests.unit.security.outgoing import all_openers, openers

PACKAGE = Path(mailcrm.__file__).parent
THE_GUARD = "services/mail/providers/hosts.py"
#: Modules that speak to servers which users or senders chose: they use the guard, or speak over its sockets.
GUARDED = {
    "services/mail/ews/failures.py": "exchangelib requests",
    "services/mail/ews/http.py": "requests urllib3",
    "services/mail/ews/library.py": "exchangelib",
    "services/mail/ews/submit.py": "exchangelib",
    "services/mail/ews/wire.py": "exchangelib",
    "services/mail/imap/answers.py": "imapclient",
    "services/mail/imap/client.py": "imapclient imaplib",
    "services/mail/imap/commands.py": "imaplib",
    "services/mail/imap/failures.py": "imapclient imaplib",
    "services/mail/imap/listing.py": "imapclient",
    "services/mail/imap/names.py": "imapclient",
    "services/mail/imap/sign_in.py": "imaplib",
    "services/mail/imap/wire.py": "imapclient imaplib",
    "services/mail/imap/writing.py": "imaplib",
    "services/mail/oauth/google.py": "google.auth google_auth_oauthlib",
    "services/mail/oauth/http.py": "requests urllib3",
    "services/mail/oauth/microsoft.py": "msal requests",
    "services/mail/outbox/smtp.py": "smtplib",
    "services/mail/outbox/smtp_line.py": "smtplib",
    "services/mail/remote_images/fetch.py": "http.client",
    "services/webhooks/post.py": "HTTPConnection http.client",
}
#: Modules that open something else, each with its reason.
OTHERS = {
    THE_GUARD: ("create_connection getaddrinfo", "the guard itself"),
    "cli/checks.py": ("HTTPConnection http.client", "`doctor` asks this server itself"),
    "serve.py": ("getaddrinfo redis socket.socket urllib.request urlopen", "the operator's Redis; this server's own port"),
    "services/jobs/queue.py": ("huey", "the operator's queue"),
    "services/demo/server.py": ("aiosmtpd create_server imapclient start_server", "the demo's own servers, which listen"),
    "services/demo/store.py": ("socket.socket", "a free port for them"),
    "services/mail/providers/lookups.py": ("dns http.client", "DNS to this machine's resolver; HTTPS over the guard"),
    "services/mail/watch/watcher.py": ("socketpair", "wakes its own loop"),
    "services/smart_bcc/listener.py": ("create_server getaddrinfo socket.socket", "listens where the operator says"),
    "services/smart_bcc/names.py": ("dns", "DNS to this machine's resolver"),
    "services/smart_bcc/session.py": ("aiosmtpd", "answers who connects to it"),
}  # fmt: skip
#: Where connections of these modules are opened: each names the guard.
OPENS = (
    "services/mail/ews/http.py",
    "services/mail/imap/wire.py",
    "services/mail/oauth/http.py",
    "services/mail/outbox/smtp_line.py",
    "services/mail/providers/lookups.py",
    "services/mail/providers/probe.py",
    "services/mail/remote_images/fetch.py",
    "services/webhooks/post.py",
)


def test_nothing_opens_a_connection_that_nobody_looked_at() -> None:
    known = {path: frozenset(names.split()) for path, names in GUARDED.items()}
    known |= {path: frozenset(names.split()) for path, (names, _) in OTHERS.items()}
    found = all_openers(PACKAGE)
    news = {path: sorted(names - known.get(path, frozenset())) for path, names in found.items()}
    assert {path: names for path, names in news.items() if names} == {}, (
        "open it with services/mail/providers/hosts.open_socket, then name it here with its reason"
    )
    gone = {path: sorted(names - found.get(path, frozenset())) for path, names in known.items()}
    assert {path: names for path, names in gone.items() if names} == {}, "not used any more: take it off the list"


@pytest.mark.parametrize("path", OPENS)
def test_the_ways_out_are_the_guards(path: str) -> None:
    tree = ast.parse((PACKAGE / path).read_text(encoding="utf-8"))
    calls = {ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    assert "hosts.open_socket" in calls


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("import requests", {"requests"}),
        ("import requests.adapters as x", {"requests"}),
        ("from urllib import request", {"urllib.request"}),
        ("from urllib.request import urlopen", {"urllib.request"}),
        ("from http import client", {"http.client"}),
        ("import httpx; httpx.get('x')", {"httpx"}),
        ("import socket; socket.socket()", {"socket.socket"}),
        ("import socket as s; s.create_connection(('x', 1))", {"create_connection"}),
        ("from socket import create_connection as c", {"socket.create_connection"}),
        ("async def f(): await asyncio.open_connection('x', 1)", {"open_connection"}),
        ("loop.getaddrinfo('x', 1)", {"getaddrinfo"}),
        ("class A(socket.socket): pass", {"class socket.socket"}),
        ("importlib.import_module('httpx')", {"httpx"}),
        ("subprocess.run(['curl', url])", {"program curl"}),
        ("os.system('wget x')", {"program wget x"}),
        ("import socket\ndef f(sock: socket.socket) -> None: sock.close()", set()),
        ("import urllib.parse; import html; import ssl", set()),
    ],
)
def test_the_scan_sees_what_it_is_for(source: str, found: set[str]) -> None:
    assert openers(source) == found
