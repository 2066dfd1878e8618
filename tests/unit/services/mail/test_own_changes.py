"""Whoever makes or removes an own address says so: blocking and linking depend on whose address is whose (M02, M20)."""

from __future__ import annotations

import re
from pathlib import Path

import mailcrm

ROOT = Path(mailcrm.__file__).parent
#: A row of a table with own addresses is made, or rows are removed or given another address.
TOUCHES = re.compile(
    r"(?<![\w.])(?:User|Mailbox|MailboxAlias|AlternativeAddress)\((?!Table)"
    r"|(?:delete|remove|update|insert)\((?:User|Mailbox|MailboxAlias|AlternativeAddress)\)"
)


def offenders(texts: dict[str, str]) -> list[str]:
    return sorted(
        name
        for name, text in texts.items()
        if any(_is_address(line) for line in text.splitlines()) and "own_changes.settle(" not in text
    )


def _is_address(line: str) -> bool:
    """Updates of other columns don't count."""
    found = TOUCHES.search(line)
    return found is not None and ("update(" not in found.group() or "address" in line or "email=" in line)


def test_every_maker_of_own_addresses_settles_what_follows() -> None:
    found = {str(path.relative_to(ROOT)): path.read_text() for path in (ROOT / "services").rglob("*.py")}
    assert offenders(found) == []


def test_the_search_finds_one() -> None:
    """A guard of the guard."""
    assert offenders({"x.py": "session.add(MailboxAlias(mailbox_id=1, address=a))"}) == ["x.py"]
    assert offenders({"x.py": "run(session, delete(AlternativeAddress).where(x))"}) == ["x.py"]
    assert offenders({"x.py": "row = User(name=n)\nown_changes.settle(session, gained=(a,))"}) == []
