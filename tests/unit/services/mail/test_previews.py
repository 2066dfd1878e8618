"""Which files are shown in the page: only what can't act (issue 9 item 2)."""

from __future__ import annotations

import pytest

from mailcrm.services.mail.previews import preview_of


@pytest.mark.parametrize(
    ("content_type", "filename", "shown"),
    [
        ("image/png", "a.png", "image"), ("image/jpeg", "a", "image"), ("text/plain", "a.txt", "text"),
        ("text/csv", "a.csv", "text"), ("application/octet-stream", "server.log", "text"),
        ("image/svg+xml", "a.svg", ""), ("image/png", "a.svg", ""), ("text/html", "a.html", ""), ("text/plain", "a.HTM", ""),
        ("text/plain", "a.svg ", ""), ("application/xml", "a.xml", ""), ("text/xml", "a", ""), ("text/rtf", "a.rtf", ""),
        ("application/msword", "a.doc", ""), ("application/octet-stream", "a.exe", ""), ("", "", ""),
        ("application/pdf", "a.pdf", "pdf"), ("application/octet-stream", "A.PDF", "pdf"), ("application/pdf", "a.html", ""),
        ("text/javascript", "a.js", ""), ("text/calendar", "a.ics", "text"), ("IMAGE/PNG", "A.PNG", "image"),
    ],
)  # fmt: skip
def test_preview_of(content_type: str, filename: str, shown: str) -> None:
    assert preview_of(content_type, filename) == shown
