"""Whether what SPF, DKIM, ARC and one's own servers said makes a From address genuine. Pure.

A pass counts for the domain in From only, or one of the same organization (DMARC's relaxed alignment, RFC 7489 3.1),
whatever policy the domain publishes: a pass of another domain proves nothing about this one.
"""

from __future__ import annotations

import functools
import importlib.resources
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from typing import Any, cast

import publicsuffix2  # pyright: ignore[reportMissingTypeStubs]

FRESH = timedelta(days=7)  # mail servers try for five days (RFC 5321 4.5.4.1)


@dataclass(frozen=True, slots=True)
class Said:
    """One result: `method` "spf", "dkim" or "dmarc", for a domain.

    `at`: when a signature was made, by its own words (ISO 8601); "" where nothing that is signed tells.
    """

    method: str
    result: str
    domain: str
    at: str = ""


@dataclass(frozen=True, slots=True)
class Checks:
    """What was found. `by` says who checked: "" for us, a server's or a sealer's name for its word.

    `unsure`: a name server did not answer, so another try may say something else.
    """

    said: tuple[Said, ...] = ()
    by: str = ""
    arc: str = "none"
    sealer: str = ""
    unsure: bool = False
    others: tuple[Said, ...] = field(default=())  # on the word of `by`

    def as_json(self) -> dict[str, Any]:
        """Return it as the arrival's row keeps it."""
        return asdict(self)


def checks_of(kept: dict[str, Any]) -> Checks | None:
    """Read what a row keeps; None where nothing was checked yet."""
    if "said" not in kept:
        return None

    def read(items: Any) -> tuple[Said, ...]:
        found = cast("Iterable[dict[str, Any]]", items)
        return tuple(
            Said(str(one["method"]), str(one["result"]), str(one["domain"]), str(one.get("at", ""))) for one in found
        )

    return Checks(
        read(kept["said"]), str(kept["by"]), str(kept["arc"]), str(kept["sealer"]), bool(kept["unsure"]),
        read(kept["others"]),
    )  # fmt: skip


def is_genuine(from_domain: str, checks: Checks) -> bool:
    """Whether the domain in From vouches for the message."""
    return bool(_passed(from_domain, checks))


def is_fresh(from_domain: str, checks: Checks, received_at: datetime, sent_at: datetime | None) -> bool:
    """Whether a genuine message was sent for this delivery, as far as that can be told: what it is not is a replay.

    A signature covers neither the recipient of the envelope nor the host that hands over, so whoever has a signed message
    can send it here once more. SPF passing for the domain in From says that its own server hands it over, now. Else the
    signature's time counts, and on another server's word alone `sent_at`, the Date.
    """
    proofs = _passed(from_domain, checks)
    if any(one.method == "spf" for one in proofs):
        return True
    moments = [datetime.fromisoformat(one.at) for one in proofs if one.at]
    if not moments and sent_at is not None and any(one in checks.others for one in proofs):
        moments = [sent_at]
    return any(received_at - at <= FRESH for at in moments)


def _passed(from_domain: str, checks: Checks) -> tuple[Said, ...]:
    return tuple(
        one
        for one in (*checks.said, *checks.others)
        if one.result == "pass" and is_aligned(from_domain, one.domain, strict=one.method == "dmarc")
    )


def is_aligned(from_domain: str, domain: str, *, strict: bool = False) -> bool:
    """Whether two domains are of one organization; `strict`: whether they are the same."""
    mine, theirs = _plain(from_domain), _plain(domain)
    if not mine or not theirs:
        return False
    return mine == theirs or (not strict and organization(mine) == organization(theirs) != "")


@functools.lru_cache(maxsize=4096)
def organization(domain: str) -> str:
    """Return the organizational domain: one label more than the public suffix; "" for a name without a dot."""
    # Not strict, it would return the top level itself where the list does not have it: one organization for all of it.
    found: Any = _suffixes().get_sld(domain, strict=True)
    labels = domain.split(".")
    if not found:  # a top level that the list does not have: its rule "*"
        found = ".".join(labels[-2:])
    return str(found) if "." in str(found) else ""


def _plain(domain: str) -> str:
    name = domain.strip().lower().rstrip(".")
    if name.isascii():
        return name
    try:
        return name.encode("idna").decode("ascii")
    except UnicodeError:
        return ""


@functools.cache
def _suffixes() -> Any:
    listed = importlib.resources.files("authheaders") / "public_suffix_list.txt"  # newer than publicsuffix2's own
    with listed.open(encoding="utf-8") as file:
        return publicsuffix2.PublicSuffixList(file)
