"""Tells what an image really is and how large it is when unpacked, from its first bytes. Pure.

Nothing is decoded: a picture of a few KB can unpack to gigabytes (an image bomb), and the browser that shows it pays.
Only the four kinds that mail programs show; SVG is a program and is refused.
"""

from __future__ import annotations

from dataclasses import dataclass

from mailcrm.errors import UserError

MAX_BYTES = 10 * 1024 * 1024
MAX_PIXELS = 50_000_000  # a phone's largest photograph; 200 MB unpacked
MAX_SIDE = 20_000  # pixels


@dataclass(frozen=True, slots=True)
class Image:
    """A kind of image with its size in pixels."""

    content_type: str
    width: int
    height: int


def check(data: bytes, name: str) -> Image:
    """Return what the image is. Raises UserError: "image.not_one", "image.too_large"."""
    if len(data) > MAX_BYTES:
        raise UserError("image.too_large", name=name, most=MAX_BYTES // 1024**2)
    found = kind_of(data)
    if found is None:
        raise UserError("image.not_one", name=name)
    if found.width * found.height > MAX_PIXELS or max(found.width, found.height) > MAX_SIDE:
        raise UserError("image.too_large", name=name, most=MAX_BYTES // 1024**2)
    return found


def kind_of(data: bytes) -> Image | None:
    """Return kind and size of a PNG, JPEG, GIF or WebP image, None for anything else."""
    head = data[:32]
    found: Image | None = None
    if head.startswith(b"\x89PNG\r\n\x1a\n") and head[12:16] == b"IHDR" and len(head) >= 24:
        found = Image("image/png", int.from_bytes(head[16:20]), int.from_bytes(head[20:24]))
    elif head[:6] in (b"GIF87a", b"GIF89a") and len(head) >= 10:
        found = _gif(data)
    elif head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        found = _webp(head)
    elif head.startswith(b"\xff\xd8\xff"):
        found = _jpeg(data)
    return found if found is not None and found.width > 0 and found.height > 0 else None


def _gif(data: bytes) -> Image:
    """The screen, or the first frame where that is larger: browsers make room for it (GIF89a 18-23)."""
    sides = [int.from_bytes(data[6:8], "little"), int.from_bytes(data[8:10], "little")]
    at = 13 + (3 * 2 ** ((data[10] & 7) + 1) if len(data) > 12 and data[10] & 0x80 else 0)
    while data[at : at + 1] == b"!":  # extensions before the frame: blocks of up to 255 bytes, ended by an empty one
        at += 2
        while at < len(data) and data[at]:
            at += 1 + data[at]
        at += 1
    if data[at : at + 1] == b"," and all(sides):
        left, top, width, height = (int.from_bytes(data[n : n + 2], "little") for n in range(at + 1, at + 9, 2))
        sides = [max(sides[0], left + width), max(sides[1], top + height)]
    return Image("image/gif", *sides)


def _webp(head: bytes) -> Image | None:
    kind = head[12:16]
    if len(head) < 30:
        return None
    if kind == b"VP8X":
        return Image("image/webp", int.from_bytes(head[24:27], "little") + 1, int.from_bytes(head[27:30], "little") + 1)
    if kind == b"VP8L" and head[20] == 0x2F:
        bits = int.from_bytes(head[21:25], "little")
        return Image("image/webp", (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1)
    if kind == b"VP8 " and head[23:26] == b"\x9d\x01\x2a":
        width, height = int.from_bytes(head[26:28], "little"), int.from_bytes(head[28:30], "little")
        return Image("image/webp", width & 0x3FFF, height & 0x3FFF)
    return None


def _jpeg(data: bytes) -> Image | None:
    """Walk the segments up to the frame header (ITU T.81 B.2.2)."""
    at = 2
    while at + 9 <= len(data):
        if data[at] != 0xFF:
            return None
        marker = data[at + 1]
        if marker == 0xFF:  # fill bytes
            at += 1
            continue
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            return Image("image/jpeg", int.from_bytes(data[at + 7 : at + 9]), int.from_bytes(data[at + 5 : at + 7]))
        if marker == 0x01 or 0xD0 <= marker <= 0xD9:
            at += 2
            continue
        at += 2 + max(2, int.from_bytes(data[at + 2 : at + 4]))
    return None
