"""The browser reads lists of addresses by the same rules as the server, which has the last word (Deliver 2)."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from mailcrm.services.mail.outbox.addresses import check_addresses
from tests.conftest import ROOT

NODE = Path(sys.executable).with_name("node")
LISTS = [
    '"Doe, Jane" <j@x.example>, a@b.c', "a@b.c\nb@c.d;c@d.e", "Jane Doe j@x.example", "broken@, @x.example, x y, a@b..c",
    "mailto:a@b.c", "佐藤 <s@例え.jp>、b@c.jp", "Bcc: a@b.c", '"a\\"b" <q@x.example>', "a@B.COM.", "<a@b.c>",
    '"x" <a b@c.d>', "a@localhost", "a@1.2.3.4", "", ",,;\n", ", ".join(f"p{n}@x.example" for n in range(400)),
]  # fmt: skip


@pytest.mark.skipif(not NODE.exists(), reason="node is part of the interface's build")
def test_both_read_the_same() -> None:
    """Names, addresses and what is wrong, of what people type and paste; hundreds too."""
    source = (ROOT / "mailcrm/components/composer_addresses.js").read_text(encoding="utf-8")
    ask = f"console.log(JSON.stringify({json.dumps(LISTS)}.map((l) => readList(l).map((e) => [e.name, e.address, !e.fault]))))"
    done = subprocess.run(
        [NODE, "--input-type=module", "-e", f"{source}\n{ask}"], capture_output=True, text=True, check=True
    )
    for typed, read in zip(LISTS, json.loads(done.stdout), strict=True):
        assert [[each.name, each.address, each.ok] for each in check_addresses(typed)] == read, typed
