"""Large messages are parsed without their large files, and come out as if they had been parsed whole."""

from __future__ import annotations

import base64
import random

import pytest

from mailcrm.services.mail.imap.structure import Section
from mailcrm.services.mail.parse.message import parse_for_list
from mailcrm.services.mail.sync import partial, thin

FILE = random.Random(4).randbytes(1_500_000)


def part(kind: str, content: bytes, more: str = "") -> bytes:
    head = f"--x\r\nContent-Type: {kind}\r\nContent-Transfer-Encoding: base64\r\n{more}\r\n".encode()
    return head + base64.encodebytes(content).replace(b"\n", b"\r\n")


def message(*parts: bytes) -> bytes:
    head = b"From: bob@away.test\r\nSubject: film\r\nContent-Type: multipart/mixed; boundary=x\r\n\r\n"
    return head + b"--x\r\nContent-Type: text/plain\r\n\r\nHello\r\n-- \r\nBob\r\n" + b"".join(parts) + b"--x--\r\n"


def thinned(raw: bytes, piece: int) -> tuple[bytes, dict[str, int]] | None:
    thinner = thin.Thinner()
    for start in range(0, len(raw), piece):
        thinner.feed(raw[start : start + piece])
    return thinner.close()


@pytest.mark.parametrize("piece", [1 << 20, 999_983, 4097])
def test_what_is_left_parses_as_the_whole(piece: int) -> None:
    raw = message(
        part("video/mp4", FILE, 'Content-Disposition: attachment; filename="a.mp4"\r\n'),
        part("image/png", b"small"),
        part('application/pdf; name="b.pdf"', FILE[:-1]),
        part('application/zip; name="c.zip"', FILE[:-2]),
    )
    left = thinned(raw, piece)
    assert left is not None
    assert len(left[0]) < 3_000
    assert thin.sized(*left) == parse_for_list(raw)


def test_a_boundary_that_is_cut_between_two_pieces_is_seen() -> None:
    raw = message(part("video/mp4", FILE), part("image/png", b"small"))
    at = raw.index(b"--x", raw.index(b"video/mp4"))
    for cut in range(at - 3, at + 4):
        thinner = thin.Thinner()
        thinner.feed(raw[:cut])
        thinner.feed(raw[cut:])
        left = thinner.close()
        assert left is not None
        assert thin.sized(*left) == parse_for_list(raw)


@pytest.mark.parametrize("kind", ["text/plain", "message/rfc822", "application/ms-tnef", "application/pkcs7-mime"])
def test_what_the_parser_looks_into_is_kept(kind: str) -> None:
    """Else the numbers of the attachments would be others when the message is opened."""
    assert thinned(message(part(kind, FILE)), 1 << 20) is None


def test_too_much_of_what_is_kept_is_no_use() -> None:
    raw = message(*(part("text/csv", FILE, "Content-Disposition: attachment\r\n") for _ in range(6)), part("a/b", FILE))
    assert thinned(raw, 1 << 20) is None


def test_a_mark_that_a_sender_wrote_is_not_believed() -> None:
    """The mark twice, or hidden where no attachment is: the message is parsed whole."""
    raw = message(part("video/mp4", FILE))
    left = thinned(raw, 1 << 20)
    assert left is not None
    mark = next(iter(left[1]))
    assert thin.sized(left[0], {**left[1], "mailcrm-thin-9": 3}) is None
    twice = left[0].replace(b"--x--", part("video/mp4", mark.encode()) + b"--x--")
    assert thin.sized(twice, left[1]) is None


@pytest.mark.parametrize(
    "kind",
    ['application/octet-stream; name="WinMail.dat"', "application/octet-stream; name*=utf-8''winmail.dat"],
)  # fmt: skip
def test_what_the_parser_looks_into_under_another_kind_is_parsed_whole(kind: str) -> None:
    """The body and the files of such a message are in its winmail.dat, whatever it is labelled."""
    left = thinned(message(part(kind, FILE)), 1 << 20)
    assert left is None or thin.sized(*left) is None


@pytest.mark.parametrize("kind", ["application/ms-tnef", "application/pkcs7-mime", 'application/x; name="winmail.dat"'])
def test_what_the_parser_looks_into_is_not_left_on_the_server(kind: str) -> None:
    """Opaque S/MIME and TNEF: the message itself is in the file."""
    absent = Section("2", kind.partition(";")[0], "", "base64", 30_000_000, "attachment")
    mark = partial.mark_of(b"", "2")
    raw = message(f"--x\r\nContent-Type: {kind}\r\nContent-Disposition: attachment\r\n\r\n{mark}\r\n".encode())
    assert partial.with_sections(raw, {mark: absent}) is None
