"""Sets of UIDs as IMAP writes them (RFC 3501 `sequence-set`), compressed and cut to a safe command length. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

MAX_OCTETS = 900  # Yahoo wants commands of at most 1,000 octets (sync.md A9 #3)


def ranges(uids: Iterable[int]) -> list[tuple[int, int]]:
    """Return `uids` as sorted inclusive ranges without overlaps."""
    out: list[tuple[int, int]] = []
    for uid in sorted(set(uids)):
        if out and uid == out[-1][1] + 1:
            out[-1] = (out[-1][0], uid)
        else:
            out.append((uid, uid))
    return out


def sets(uids: Iterable[int], *, max_octets: int = MAX_OCTETS) -> Iterator[str]:
    """Yield sequence sets that together name exactly `uids`, each at most `max_octets` long."""
    part: list[str] = []
    length = 0
    for lo, hi in ranges(uids):
        text = str(lo) if lo == hi else f"{lo}:{hi}"
        if part and length + len(text) + 1 > max_octets:
            yield ",".join(part)
            part, length = [], 0
        part.append(text)
        length += len(text) + 1
    if part:
        yield ",".join(part)


def parse(sequence_set: str) -> list[int]:
    """Return the UIDs that a sequence set without `*` names, in ascending order."""
    uids: set[int] = set()
    for item in filter(None, sequence_set.split(",")):
        lo, _, hi = item.partition(":")
        first, last = int(lo), int(hi or lo)
        uids.update(range(min(first, last), max(first, last) + 1))
    return sorted(uids)
