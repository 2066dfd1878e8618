"""The process that draws the pages of one PDF file for `pdf_pages.py`, then ends.

Reads the file from stdin and writes to stdout: the number of pages (four octets, big-endian), then for each page drawn
four octets of length and a PNG; nothing at all for a file that can't be drawn. PDFium comes without a JavaScript engine
here, forms are not set up, and nothing of the file is followed: what leaves are pixels. It may use CPU_S of processor
time and MEMORY_BYTES, start no process, write no file; its environment is emptied at start.
"""

from __future__ import annotations

import importlib
import resource
import struct
import sys
import zlib
from typing import Any

MOST_PAGES = 12
WIDTH = 1240  # pixels: twice the width of a phone, and sharp in the window over the page
MOST_PIXELS = 4_000_000  # of a page; a poster is drawn smaller
CPU_S = 12
MEMORY_BYTES = 768 * 1024**2


def main() -> None:
    """Draw what comes from stdin."""
    pypdfium2: Any = importlib.import_module("pypdfium2")  # it has no types

    content = sys.stdin.buffer.read()
    _limit()
    out = sys.stdout.buffer
    try:
        document = pypdfium2.PdfDocument(content)
        count = len(document)
        out.write(struct.pack(">I", count))
        for number in range(min(count, MOST_PAGES)):
            picture = _drawn(document[number])
            out.write(struct.pack(">I", len(picture)) + picture)
            out.flush()
    except (pypdfium2.PdfiumError, MemoryError):
        pass  # encrypted, broken, or too much: what was drawn until then is shown


def _limit() -> None:
    for what, most in (
        (resource.RLIMIT_AS, MEMORY_BYTES),
        (resource.RLIMIT_CPU, CPU_S),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_NPROC, 0),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(what, (most, most))


def _drawn(page: Any) -> bytes:
    width, height = page.get_size()
    if not (0 < width < 1e6 and 0 < height < 1e6):
        raise MemoryError
    scale = min(WIDTH / width, (MOST_PIXELS / (width * height)) ** 0.5)
    bitmap = page.render(scale=scale, may_draw_forms=False, rev_byteorder=True, force_bitmap_format=2)
    return png(bytes(bitmap.buffer), bitmap.width, bitmap.height, bitmap.stride)


def png(pixels: bytes, width: int, height: int, stride: int) -> bytes:
    """Return a PNG of rows of red, green and blue octets."""
    rows = b"".join(b"\0" + pixels[at : at + width * 3] for at in range(0, height * stride, stride))

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows, 3)) + chunk(b"IEND", b"")


if __name__ == "__main__":
    main()
