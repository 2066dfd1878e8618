"""Asks SPF, DKIM, ARC and one's own servers about a message that came in. Network: name servers; no database.

SPF needs to know which host handed the message over, so it says nothing of mail fetched from the drop mailbox. An
Authentication-Results field counts only as the topmost one, with a name of MAILCRM_BCC_AUTHSERV, and only where our own
server wrote it last: behind a relay (MAILCRM_BCC_RELAYS), or in the drop mailbox (RFC 8601 5). An ARC chain counts only
when it verifies and its last seal is of MAILCRM_BCC_ARC_SEALERS: anybody can seal anything. What counts: aligned.py.
"""

from __future__ import annotations

import ipaddress
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import authres  # pyright: ignore[reportMissingTypeStubs]
import dkim  # pyright: ignore[reportMissingTypeStubs]
import spf  # pyright: ignore[reportMissingTypeStubs]
import structlog

from mailcrm.config import config
from mailcrm.services.mail.parse.headers import header_date, header_fields
from mailcrm.services.smart_bcc import names
from mailcrm.services.smart_bcc.aligned import Checks, Said

MOST_SIGNATURES = 5  # of one message that are looked at; real mail has one to three
SPF_S = 20  # seconds for all lookups of one SPF record (RFC 7208 4.6.4)
LEAST_KEY = 1024  # bits, RFC 8301 3.2
_INSIDE = tuple(
    ipaddress.ip_network(each)
    for each in ("127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "::1/128", "fc00::/7")
)

#: Fields that RFC 5322 3.6 and RFC 2045 allow once.
_SINGLE = (
    "from", "sender", "reply-to", "to", "cc", "subject", "date", "message-id", "in-reply-to", "references", "mime-version",
    "content-type", "content-transfer-encoding",
)  # fmt: skip

_INSTANCE = re.compile(r"\s*i\s*=\s*([0-9]{1,2})\s*")

_DKIM: Any = dkim  # the three have no types
_SPF: Any = spf
_AUTHRES: Any = authres

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Handover:
    """Who handed a message over: `address` "" where that is not known. `ours`: one's own server was the last before us."""

    mail_from: str
    address: str = ""
    name: str = ""
    ours: bool = False


def is_relay(address: str) -> bool:
    """Whether the operator says that this host is a relay of ours: its word counts (XFORWARD, Authentication-Results).

    Loopback unless MAILCRM_BCC_RELAYS names others. Not every private address: behind Docker's proxy all the world comes
    from one, and whoever is in the office would sign as a colleague.
    """
    return _is_in(address, config().bcc.relays)


def is_inside(address: str) -> bool:
    """Whether this is an address of some private network, which says nothing about a sender."""
    return _is_in(address, _INSIDE)


def _is_in(address: str, networks: Iterable[ipaddress.IPv4Network | ipaddress.IPv6Network]) -> bool:
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return False
    found = getattr(found, "ipv4_mapped", None) or found
    return any(found in network for network in networks if network.version == found.version)


def examine(raw: bytes, handover: Handover) -> Checks:
    """Return what everybody says about the message. Never raises; takes seconds where name servers are slow."""
    asked = _Asked()
    said = [*_dkim(raw, asked), *_spf(handover, asked)]
    by, others = _own_servers(raw) if handover.ours else ("", ())
    arc, sealer = _arc(raw, asked)
    if not by and arc == "pass" and sealer in config().bcc.sealers:
        by, others = sealer, _results(_newest_seal(raw))
    return Checks(tuple(said), by, arc, sealer, asked.unsure, tuple(others))


class _Asked:
    """Asks for keys, and remembers whether a name server stayed silent: dkimpy takes that for a bad signature."""

    def __init__(self) -> None:
        self.unsure = False

    def __call__(self, name: bytes | str, timeout: float = names.LOOKUP_S) -> bytes | None:
        wanted = name.decode("ascii", "replace") if isinstance(name, bytes) else name
        try:
            found = names.text(wanted, timeout)
        except names.NoAnswer:
            self.unsure = True
            return None
        return found[0] if found else None


def _dkim(raw: bytes, asked: _Asked) -> list[Said]:
    found: list[Said] = []
    for n in range(MOST_SIGNATURES):
        signed: Any = None
        try:
            signed = _DKIM.DKIM(raw, minkey=LEAST_KEY)
            prepared = signed.verify_headerprep(n)
            if not prepared:
                return found
            passed = bool(signed.verify(idx=n, dnsfunc=asked))
        except Exception as error:  # attacker's bytes in a library: whatever it raises, nothing is proven
            log.debug("a signature could not be read", error=str(error)[:200])
            passed = False
        fields: dict[bytes, bytes] = getattr(signed, "signature_fields", None) or {}
        domain = fields.get(b"d", b"").decode("ascii", "replace").strip().lower()
        if not domain:
            return found
        # With l= anybody may add to the text; with h= without From, dkimpy has refused already.
        covered = _covered(fields)
        good = passed and b"l" not in fields and not _has_more(raw, covered)
        found.append(Said("dkim", "pass" if good else "fail", domain, _made_at(raw, fields, covered) if good else ""))
    return found


def _covered(fields: dict[bytes, bytes]) -> Counter[str]:
    """How often the signature covers each header field."""
    return Counter(each.strip().lower() for each in fields.get(b"h", b"").decode("ascii", "replace").split(":"))


def _has_more(raw: bytes, covered: Counter[str]) -> bool:
    """Whether a field that may stand once stands above the signed one, too: readers would show the one that was added."""
    present, _ = header_fields(raw)
    return any(len(present.get(name, ())) > max(1, covered[name]) for name in _SINGLE)


def _made_at(raw: bytes, fields: dict[bytes, bytes], covered: Counter[str]) -> str:
    """When a signature was made: its own word, else the Date that it covers."""
    stamp = fields.get(b"t", b"").decode("ascii", "replace").strip()
    if stamp.isdecimal() and len(stamp) <= 11:
        return datetime.fromtimestamp(int(stamp), UTC).isoformat()
    if not covered["date"]:
        return ""
    present, _ = header_fields(raw)
    at = header_date(next(iter(present.get("date", ())), None))
    return at.isoformat() if at is not None else ""


def _spf(handover: Handover, asked: _Asked) -> list[Said]:
    domain = handover.mail_from.rpartition("@")[2].lower() or handover.name.lower()
    if not handover.address or not domain:
        return []

    try:
        result, _ = _SPF.check2(i=handover.address, s=handover.mail_from, h=handover.name or domain, querytime=SPF_S)
    except Exception as error:  # as above
        log.debug("an SPF record could not be read", domain=domain, error=str(error)[:200])
        result = "permerror"
    asked.unsure = asked.unsure or result == "temperror"
    return [Said("spf", str(result), domain)]


def _spf_lookup(name: str, kind: str, _strict: object = True, timeout: float = SPF_S) -> list[Any]:
    try:
        found = names.lookup(name, kind, timeout)
    except names.NoAnswer as error:
        raise _SPF.TempError(f"DNS {error}") from error
    return [((name, kind), value) for record in found if (value := _value(kind, record)) is not None]


def _value(kind: str, record: Any) -> Any:
    if kind in ("A", "AAAA"):
        return record.address
    if kind == "MX":
        return record.preference, record.exchange.to_text(True)
    if kind == "PTR":
        return record.target.to_text(True)
    return record.strings if kind == "TXT" else None


_SPF.DNSLookup = _spf_lookup  # the place pyspf has for another resolver


def _arc(raw: bytes, asked: _Asked) -> tuple[str, str]:
    if b"arc-seal" not in raw[: 256 * 1024].lower():
        return "none", ""
    try:
        chain, sets, _ = _DKIM.ARC(raw, minkey=LEAST_KEY).verify(dnsfunc=asked)
    except Exception as error:  # as above
        log.debug("an ARC chain could not be read", error=str(error)[:200])
        return "fail", ""
    sealer = sets[0].get("as-domain", b"").decode("ascii", "replace").lower() if sets else ""
    return (chain or b"fail").decode("ascii", "replace"), sealer


def _own_servers(raw: bytes) -> tuple[str, tuple[Said, ...]]:
    """The topmost Authentication-Results, if one of our own servers wrote it."""
    trusted = config().bcc.authservs
    fields, _ = header_fields(raw)
    values = fields.get("authentication-results", ())
    if not trusted or not values:
        return "", ()
    written = values[0].decode("utf-8", "replace")
    writer = written.partition(";")[0].split()[0].lower() if written.partition(";")[0].split() else ""
    return (writer, _results(written)) if writer in trusted else ("", ())


def _newest_seal(raw: bytes) -> str:
    fields, _ = header_fields(raw)
    found: dict[int, str] = {}
    for value in fields.get("arc-authentication-results", ()):
        head, _, rest = value.decode("utf-8", "replace").partition(";")
        number = _INSTANCE.fullmatch(head)
        # One that dkimpy reads differently, or does not see, is not under the seal.
        if number is None or int(number[1]) in found:
            return ""
        found[int(number[1])] = rest
    return found[max(found)] if sorted(found) == list(range(1, len(found) + 1)) and found else ""


def _results(written: str) -> tuple[Said, ...]:
    try:
        parsed = _AUTHRES.AuthenticationResultsHeader.parse(f"Authentication-Results: {' '.join(written.split())}")
    except Exception as error:  # as above
        log.debug("Authentication-Results could not be read", error=str(error)[:200])
        return ()
    found: list[Said] = []
    wanted = {"dkim": ("header", "d"), "spf": ("smtp", "mailfrom"), "dmarc": ("header", "from")}
    for result in parsed.results:
        place = wanted.get(str(result.method).lower())
        for prop in result.properties if place else ():
            if (str(prop.type).lower(), str(prop.name).lower()) == place:
                domain = str(prop.value).rpartition("@")[2].strip().lower()
                found.append(Said(str(result.method).lower(), str(result.result).lower(), domain))
    return tuple(found)
