"""PDF attachments as pictures: what is drawn, and that no file can act, take the machine, or break the page (issue 9)."""

from __future__ import annotations

import struct
import sys
import zlib

import pytest

from mailcrm.services.mail import pdf_pages, pdf_worker
from mailcrm.services.mail.pdf_pages import draw


def pdf(*pages: bytes, box: str = "0 0 595 842", catalog: str = "", trailer: str = "") -> bytes:
    """Write a PDF whose pages have these drawing operators."""
    kids = " ".join(f"{3 + 2 * n} 0 R" for n in range(len(pages)))
    objects = [f"<</Type/Catalog/Pages 2 0 R{catalog}>>".encode(), f"<</Type/Pages/Kids[{kids}]/Count {len(pages)}>>".encode()]  # fmt: skip
    for n, content in enumerate(pages):
        objects.append(f"<</Type/Page/Parent 2 0 R/MediaBox[{box}]/Contents {4 + 2 * n} 0 R>>".encode())
        objects.append(b"<</Length %d>>stream\n%s\nendstream" % (len(content), content))
    out, places = b"%PDF-1.7\n", list[int]()
    for n, content in enumerate(objects, 1):
        places.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (n, content)
    table = b"".join(b"%010d 00000 n \n" % at for at in places)
    end = f"trailer<</Size {len(objects) + 1}/Root 1 0 R{trailer}>>\nstartxref\n{len(out)}\n%%EOF".encode()
    return out + b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1) + table + end


RED = b"1 0 0 rg 0 0 595 842 re f"


def pixels(png: bytes) -> tuple[int, int, bytes]:
    """Return width, height and the first pixel of a PNG."""
    width, height = struct.unpack_from(">II", png, 16)
    at = png.index(b"IDAT")
    (size,) = struct.unpack_from(">I", png, at - 4)
    return width, height, zlib.decompress(png[at + 4 : at + 4 + size])[1:4]


def test_pages_become_pictures() -> None:
    """Each page once, in order, in its colours and proportions, as wide as the window needs."""
    drawn = draw(pdf(RED, b"0 0 1 rg 0 0 595 842 re f"))
    assert drawn.count == 2
    assert [pixels(page) for page in drawn.pages] == [(1240, 1755, b"\xff\0\0"), (1240, 1755, b"\0\0\xff")]


def test_the_first_pages_of_a_long_file() -> None:
    """A book is not drawn as a whole, and says how long it is."""
    drawn = draw(pdf(*[RED] * 40, box="0 0 60 80"))
    assert (len(drawn.pages), drawn.count) == (pdf_worker.MOST_PAGES, 40)


@pytest.mark.parametrize(
    "content",
    [
        b"", b"GIF89a", b"%PDF-1.7", b"%PDF-1.7\n" + b"\0" * 5000, pdf(RED)[:200],
        pdf(RED, trailer="/Encrypt<</Filter/Standard/V 1/R 2/O(x)/U(y)/P -4>>"),
        pdf(RED, box="0 0 0 0 "), b"<html>%PDF-1.7",
    ],
)  # fmt: skip
def test_what_cannot_be_drawn_is_nothing_or_pixels(content: bytes) -> None:
    """Broken, encrypted, or no PDF at all: no exception, and never anything but PNG."""
    assert all(page.startswith(b"\x89PNG") for page in draw(content).pages)


def test_a_poster_and_a_ribbon_are_drawn_small() -> None:
    """A page declares what size it likes; the picture stays within its pixels."""
    for box in ("0 0 14400 14400", "0 0 14400 3", "0 0 3 14400", "0 0 900000 900000"):
        for page in draw(pdf(RED, box=box)).pages:
            width, height, _first = pixels(page)
            assert width * height <= pdf_worker.MOST_PIXELS + width + height


def test_scripts_and_actions_do_nothing() -> None:
    """security.md 5: what opens by itself, calls home or runs in a reader leaves only pixels; the engine has no scripts."""
    acts = "/OpenAction<</S/JavaScript/JS(while(1){})>>/AA<</WC<</S/URI/URI(http://127.0.0.1:9/)>>>>"
    drawn = draw(pdf(RED, catalog=acts))
    assert [pixels(page)[2] for page in drawn.pages] == [b"\xff\0\0"]


def test_a_file_without_end_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    """The process is killed at its limit; whoever asked gets an answer, and the next file is drawn."""
    monkeypatch.setattr(pdf_pages, "WALL_S", 1.0)
    endless = pdf(b"0 0 m " + b"1 0 0 RG 0 0 595 842 re S q Q " * 600_000, box="0 0 595 842")
    assert draw(endless).count in (0, 1)
    monkeypatch.setattr(pdf_pages, "WALL_S", 60.0)
    assert draw(pdf(RED, b"")).count == 2


def test_an_answer_is_pictures_only() -> None:
    """Should a file take the process over, it can still say nothing but PNG."""
    picture = pdf_worker.png(b"\0\0\0", 1, 1, 3)
    whole = struct.pack(">I", 2) + struct.pack(">I", len(picture)) + picture
    assert len(pdf_pages._read(whole + struct.pack(">I", 30) + b"<script>alert(1)</script>").pages) == 1  # noqa: SLF001
    assert pdf_pages._read(b"\0\0\0\2" + struct.pack(">I", 9) + b"GIF89a...").count == 0  # noqa: SLF001
    assert pdf_pages._read(whole[:-4]).pages == ()  # noqa: SLF001


def test_an_answer_without_end_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    """What draws may have become the file's own: it fills no memory here."""
    endless = "import sys\nwhile True: sys.stdout.buffer.write(bytes(65_536))"
    monkeypatch.setattr(pdf_pages, "_WORKER", (sys.executable, "-c", endless))
    monkeypatch.setattr(pdf_pages, "MAX_ANSWER", 1_000_000)
    assert len(pdf_pages._ask(b"%PDF-")) == 1_000_000
