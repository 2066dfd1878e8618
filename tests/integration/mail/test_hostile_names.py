"""Sixty hostile file names through every route that answers files (security.md threat 5; 4)."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from urllib.parse import quote, unquote

import httpx
import pytest

from mailcrm.endpoints.messages import disposition
from mailcrm.services.mail.parse.attachments import safe_filename
from tests.integration.mail.test_message_bodies import Reader, ann  # noqa: F401  a fixture

_DEVICES = ("CON", "con.txt", "NUL", "nul.pdf", "PRN", "AUX.png", "COM1", "com9.doc", "LPT1.txt", "CLOCK$", "aux .txt")
NAMES: tuple[str, ...] = (
    "../../etc/passwd", "..\\..\\windows\\win.ini", "/etc/passwd", "C:\\boot.ini", "\\\\host\\share\\x", "..", ".", "...",
    "....//....//x", "a/../../b", "%2e%2e%2fetc%2fpasswd", "file:///etc/passwd", "~/.ssh/id_rsa", ".htaccess", "-rf", "--help",
    "a\r\nX-Evil: 1", "a\r\n\r\n<script>alert(1)</script>", "a\nb", "a\rb", "a\vb", "a\fb", "a\u2028b", "a\u0085b", "a\tb",
    "\0", "a\0.exe", "a.txt\0.html", 'a"b', 'a"; filename="evil.exe', "a'b", "a\\", 'a\\"b', "a;b=c", "a`id`", "$(id)", "a|b&c",
    "<img src=x onerror=alert(1)>.png", "javascript:alert(1)", "{{7*7}}", "%n%s%x", "%0d%0aX: y", "=cmd|' /C calc'!A0",
    "\u202egpj.exe", "x\u202dtxt.exe", "\u2066a\u2069.scr", "\u200fabc\u200e.pdf", "a\u200b.exe", "\ufeffa.pdf", "\u00ad.exe",
    "x" * 300, "x" * 300 + ".pdf", "見" * 300 + ".pdf", "😀" * 80 + ".png", "見積書.pdf", "חשבונית.pdf", "e\u0301" * 60 + ".txt",
    "a" + "\u0300" * 500, "report.pdf                                        .exe", "a.pdf.", "a.pdf ", "\ud800".encode(
        "utf-8", "surrogatepass").decode("latin-1"), "", " ", *_DEVICES,
)  # fmt: skip
_VALUE = re.compile(r"(attachment|inline); filename=\"[A-Za-z0-9 ._()+-]{1,120}\"; filename\*=UTF-8''[A-Za-z0-9%._~-]*")
#: What no name may hold once a browser has it: separators, control characters, marks that turn text round.
_ACTS = re.compile("[/\\\\\0-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\u00ad]")
_TEXT = base64.b64encode(b"plain words").decode()


def written(name: str, how: int) -> str:
    """The name as a sender may write it: RFC 2231, RFC 2047 in quotes, or as it is where a header can hold it."""
    if how == 0:
        return f"filename*=utf-8''{quote(name, safe='')}"
    if how == 1:
        return f'filename="=?utf-8?b?{base64.b64encode(name.encode()).decode()}?="'
    bare = name.replace("\r", "").replace("\n", "")
    return 'filename="' + bare.replace("\\", "\\\\").replace('"', '\\"') + '"'


def message(how: int, kind: str = "text/plain") -> bytes:
    parts = "".join(
        f"--b\r\nContent-Type: {kind}\r\nContent-Transfer-Encoding: base64\r\n"
        f"Content-Disposition: attachment; {written(name, how)}\r\n\r\n{_TEXT}\r\n"
        for name in NAMES
    )
    return f"Subject: names\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n{parts}--b--\r\n".encode()


def test_there_are_sixty() -> None:
    assert len(set(NAMES)) >= 60


@pytest.mark.parametrize("how", [0, 1, 2], ids=["rfc2231", "rfc2047", "bare"])
def test_no_name_leaves_its_header(ann: Reader, how: int, record_property: Callable[[str, object], None]) -> None:  # noqa: F811
    """Download, preview, and picture: the same headers whatever the name, and a name that is only a name."""
    which = ann.receive(message(how))
    seen: set[tuple[str, ...]] = set()
    for n in range(1, len(NAMES) + 1):
        for path in (f"attachments/{n}", f"attachments/{n}?inline=1"):
            answer = ann.client.get(f"/m/{which}/{path}")
            assert answer.status_code == 200, NAMES[n - 1]
            seen.add(tuple(sorted(answer.headers)))
            assert_name_only(answer, NAMES[n - 1])
            assert answer.content == b"plain words"
    assert len(seen) == 1, "no name adds a header or takes one away"
    record_property("measured", f"{len(set(NAMES))} names")


def assert_name_only(answer: httpx.Response, name: str) -> None:
    value = answer.headers["content-disposition"]
    assert _VALUE.fullmatch(value), (name, value)
    assert value.startswith("attachment;")
    given = unquote(value.rpartition("UTF-8''")[2], errors="strict")
    assert given, name
    assert not _ACTS.search(given), (name, given)
    assert given.strip(". ") != "", (name, given)
    assert len(given) <= 255
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["content-security-policy"] == "default-src 'none'; sandbox"
    assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("name", NAMES)
def test_a_name_is_safe_wherever_it_is_used(name: str) -> None:
    """Lists, tooltips and downloads show `safe_filename`: idempotent, its extension in sight, nothing that acts."""
    safe = safe_filename(name)
    assert safe_filename(safe) == safe
    assert not _ACTS.search(safe), safe
    assert len(safe) <= 255
    assert _VALUE.fullmatch(disposition(name, inline=False))
    if name.rstrip().endswith((".exe", ".scr")) and 5 < len(name) < 100:
        assert safe.endswith((".exe", ".scr")), "the extension that acts is the last thing to see"
    assert safe.upper().split(".")[0].strip() not in ("CON", "NUL", "PRN", "AUX", "COM1", "COM9", "LPT1", "CLOCK$")
