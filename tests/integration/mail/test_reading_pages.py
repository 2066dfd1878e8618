"""The original, a text file and the print view of an email: for who may read it, and nothing in them acts (issue 9 item 2)."""

from __future__ import annotations

import asyncio

import httpx
import pytest
from starlette.applications import Starlette

from mailcrm.endpoints import messages, reading
from mailcrm.models import Message
from mailcrm.services.db import transaction
from tests.integration.mail.test_message_bodies import Reader, signed_in
from tests.unit.services.mail.test_pdf_pages import pdf

pytestmark = pytest.mark.usefixtures("sqlite_db")
RAW = (
    "From: Lena <lena@x.test>\r\nTo: aino@example.test\r\nSubject: =?utf-8?q?Pl=C3=A4ne?= <b>B</b>\r\nMessage-ID: <one@x.test>\r\n"
    "Authentication-Results: mx.test; dkim=pass\r\nBcc: secret@x.test\r\nMIME-Version: 1.0\r\n"
    'Content-Type: multipart/mixed; boundary="q"\r\n\r\n'
    "--q\r\nContent-Type: text/html; charset=utf-8\r\n\r\n<p>New words</p><script>x()</script>"
    "<blockquote type=cite>On 4 Mar 2024, J wrote: old words</blockquote>\r\n"
    "--q\r\nContent-Type: text/plain; charset=utf-8; name=notes.txt\r\nContent-Disposition: attachment; filename=notes.txt\r\n\r\n"
    "<script>alert(1)</script> 見積\r\n"
    "--q\r\nContent-Type: text/html\r\nContent-Disposition: attachment; filename=page.html\r\n\r\n<script>1</script>\r\n--q--\r\n"
).encode()


def get(reader: Reader, path: str) -> httpx.Response:
    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(Starlette(routes=[*messages.ROUTES, *reading.ROUTES]))
        async with httpx.AsyncClient(transport=transport, base_url="http://mail.test") as client:
            return await client.get(path, headers=reader.client.headers)

    return asyncio.run(ask())


def holds_no_script(answer: httpx.Response) -> None:
    policy = answer.headers["content-security-policy"]
    assert answer.status_code == 200
    assert "default-src 'none'" in policy
    assert "sandbox" in policy
    assert "allow-scripts" not in policy
    assert "<script" not in answer.text.replace("&lt;script", "")


def test_the_original_is_source_and_headers() -> None:
    aino = signed_in("aino@example.test")
    answer = get(aino, f"/m/{aino.receive(RAW)}/original?theme=dark")
    holds_no_script(answer)
    assert "<th>Authentication-Results</th>" in answer.text
    assert "Pläne &lt;b&gt;B&lt;/b&gt;" in answer.text
    assert "&lt;script&gt;x()" in answer.text
    assert 'href="raw" download' in answer.text
    assert answer.headers["content-security-policy"].endswith("allow-downloads")


def test_text_files_are_text() -> None:
    """What is markup is no text, whatever the address says."""
    aino = signed_in("aino@example.test")
    message_id = aino.receive(RAW)
    answer = get(aino, f"/m/{message_id}/attachments/1/text")
    holds_no_script(answer)
    assert "&lt;script&gt;alert(1)&lt;/script&gt; 見積" in answer.text
    assert get(aino, f"/m/{message_id}/attachments/2/text").status_code == 404
    assert get(aino, f"/m/{message_id}/attachments/9/text").status_code == 404


def test_pdf_files_are_pictures() -> None:
    """Issue 9, security.md 5: never the file itself inside the browser; a PDF by its bytes, not by what a sender calls it."""
    aino = signed_in("aino@example.test")
    part = "--q\r\nContent-Type: {}\r\nContent-Disposition: attachment; filename={}\r\n\r\n{}\r\n"
    body = pdf(b"1 0 0 rg 0 0 595 842 re f", catalog="/OpenAction<</S/JavaScript/JS(app.alert(1))>>").decode("latin-1")
    parts = (
        part.format("application/pdf", "terms.pdf", body),
        part.format("application/pdf", "fake.pdf", "<script>alert(1)</script>"),
        part.format("text/html", "page.html", "<script>1</script>"),
    )
    head = "Subject: x\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=q\r\n\r\n"
    message_id = aino.receive((head + "".join(parts) + "--q--\r\n").encode("latin-1"))
    answer = get(aino, f"/m/{message_id}/attachments/1/pdf?theme=dark")
    holds_no_script(answer)
    assert answer.text.count('src="data:image/png;base64,') == 1
    assert "JavaScript" not in answer.text
    fake = get(aino, f"/m/{message_id}/attachments/2/pdf")
    holds_no_script(fake)
    assert "can’t be shown" in fake.text
    assert "<img" not in fake.text
    assert get(aino, f"/m/{message_id}/attachments/3/pdf").status_code == 404


def test_paper_has_everything_unfolded() -> None:
    aino = signed_in("aino@example.test")
    message_id = aino.receive(RAW)
    with transaction() as session:
        thread_id = session.get_one(Message, message_id).thread_id
    for path in (f"/m/{message_id}/print", f"/print/{thread_id}"):
        answer = get(aino, path)
        holds_no_script(answer)
        assert "New words" in answer.text
        assert "old words" in answer.text
        assert "<details" not in answer.text
    assert "<details>" in get(aino, f"/m/{message_id}/body").text


def test_the_body_is_on_white_paper_when_asked() -> None:
    aino = signed_in("aino@example.test")
    message_id = aino.receive(RAW)
    assert 'data-theme="dark" class="plain"' in get(aino, f"/m/{message_id}/body?theme=dark").text
    assert 'data-theme="light" class="paper"' in get(aino, f"/m/{message_id}/body?theme=dark&paper=1").text


@pytest.mark.parametrize("tail", ["original", "print", "attachments/1/text", "attachments/1/pdf"])
def test_nobody_else_reads_them(tail: str) -> None:
    aino, other = signed_in("aino@example.test"), signed_in("other@example.test")
    message_id = aino.receive(RAW)
    assert get(other, f"/m/{message_id}/{tail}").status_code == 404
    assert get(other, f"/m/{message_id}/{tail}").content == get(other, f"/m/99999/{tail}").content
    with transaction() as session:
        thread_id = session.get_one(Message, message_id).thread_id
    assert get(other, f"/print/{thread_id}").status_code == 404
