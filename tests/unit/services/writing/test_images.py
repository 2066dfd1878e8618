"""What an image is and how large it unpacks is told by its bytes (M05; security.md: image bombs)."""

from __future__ import annotations

import struct

import pytest

from mailcrm.errors import UserError
from mailcrm.services.writing import images


def a_gif(screen: tuple[int, int], frame: tuple[int, int], *, table: bool = True, extensions: int = 2) -> bytes:
    head = b"GIF89a" + struct.pack("<HH", *screen) + (b"\x80\x00\x00" + bytes(6) if table else b"\x00\x00\x00")
    said = b"!\xfe\x03abc\x02de\x00" * extensions
    return head + said + b"," + struct.pack("<HHHH", 0, 0, *frame) + b"\x00\x02\x02D\x01\x00;"


@pytest.mark.parametrize("table", [True, False])
@pytest.mark.parametrize("extensions", [0, 3])
def test_a_frame_larger_than_its_screen_counts(table: bool, extensions: int) -> None:
    """Browsers make room for the first frame, whatever the screen says."""
    assert images.check(a_gif((10, 20), (10, 20), table=table, extensions=extensions), "a.gif").height == 20
    with pytest.raises(UserError) as caught:
        images.check(a_gif((1, 1), (60_000, 60_000), table=table, extensions=extensions), "bomb.gif")
    assert caught.value.code == "image.too_large"


def test_a_cut_image_never_raises() -> None:
    whole = a_gif((10, 20), (30, 40))
    assert {type(images.kind_of(whole[:n])) for n in range(len(whole))} <= {type(None), images.Image}
