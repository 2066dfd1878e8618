"""Recognises the provider of an address (M09): from the table, from what its domain says, from who receives its mail.

    domain in the table ─▶ autoconfig file ─▶ SRV records (RFC 6186) ─▶ MX ─▶ names that exist ─▶ a plain guess

The domain's own word comes before its MX, with one exception: an MX at Google or Microsoft decides, because web hosters
answer autoconfig for every domain, also for those whose mail is elsewhere. A wrong answer costs nobody anything: the form
shows it, another can be chosen, and the live test decides. Nothing is asked for names that can't exist (RFC 2606).
"""

from __future__ import annotations

import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as Late
from dataclasses import dataclass, replace
from typing import Literal, TypeVar

from mailcrm.services.mail.providers import autoconfig, table
from mailcrm.services.mail.providers.lookups import Network
from mailcrm.services.mail.providers.table import Provider
from mailcrm.services.mail.providers.values import ServerSpec

BUDGET_S = 6.0
KEPT_S = 600.0
KEPT_MOST = 500
THREADS = 12  # that ask the network for all the forms of a process
_RESERVED = ("test", "example", "invalid", "localhost", "local", "internal", "lan", "home", "corp", "onion")
_IMAP_NAMES, _SMTP_NAMES = ("imap", "mail"), ("smtp", "mail")

How = Literal["domain", "autoconfig", "srv", "mx", "names", "guess"]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Recognised:
    """What is known of an address; `how` says from where. `provider` is the generic row where nobody is known."""

    provider: Provider
    imap: ServerSpec
    smtp: ServerSpec
    how: How


_pool = ThreadPoolExecutor(THREADS, thread_name_prefix="recognise")
_kept: dict[str, tuple[float, Recognised]] = {}
_lock = threading.Lock()
NETWORK = Network()


def domain_of(address: str) -> str:
    """Return the domain of an address as it is asked for (A-labels, lower case); "" while it is none."""
    local, _, domain = address.strip().rpartition("@")
    try:
        name = domain.rstrip(".").encode("idna").decode("ascii").lower()
    except UnicodeError:
        return ""
    return name if local and autoconfig.HOST.fullmatch(name) else ""


def at_once(address: str) -> Recognised | None:
    """Return what the table says, without the network; None when it does not know the domain."""
    row = table.of_domain(domain_of(address))
    return _made(row, address, "domain") if row else None


def by_hand(key: str, address: str) -> Recognised:
    """Return the servers of the provider that a person chose."""
    return _made(table.get(key), address, "guess")


def recognise(address: str, network: Network = NETWORK, *, budget_s: float = BUDGET_S) -> Recognised:
    """Return the provider and the servers of an address. Takes up to `budget_s`; never raises."""
    address = address.strip()
    known = at_once(address)
    if known is not None:
        return known
    domain = domain_of(address)
    if not domain or domain.rpartition(".")[2] in _RESERVED:
        return _made(table.get(table.GENERIC), address, "guess")
    kept = _remembered(domain)
    if kept is None:
        kept = _asked(f"%LOCAL%@{domain}", network, budget_s)
        _remember(domain, kept)
    return _for(kept, address)


def _asked(address: str, network: Network, budget_s: float) -> Recognised:
    """Ask everything at once, and take the best answer that came in time."""
    domain = address.rpartition("@")[2]
    ends = time.monotonic() + budget_s
    mx = _pool.submit(network.mx, domain)
    file = _pool.submit(network.autoconfig, address)
    imaps = _pool.submit(network.srv, "_imaps._tcp", domain)
    sends = [_pool.submit(network.srv, f"{name}._tcp", domain) for name in ("_submissions", "_submission")]
    names = {f"{name}.{domain}": _pool.submit(network.exists, f"{name}.{domain}") for name in ("imap", "smtp", "mail")}
    received = table.of_mx(_result(mx, ends) or [])
    if received is not None and received[0].signs_in_at:
        return _made(received[0], address, "mx", received[1])
    found = _result(file, ends)
    if found is not None:
        return Recognised(_row_of(found.imap.host), found.imap, found.smtp, "autoconfig")
    pointed = _result(imaps, ends)
    sending = [_result(each, ends) for each in sends]
    if pointed is not None and any(sending):
        smtp = ServerSpec(*sending[0], "ssl", address) if sending[0] else ServerSpec(*sending[1], "starttls", address)  # type: ignore[misc]
        return Recognised(_row_of(pointed[0]), ServerSpec(*pointed, "ssl", address), smtp, "srv")
    if received is not None:
        return _made(received[0], address, "mx", received[1])
    guess = _made(table.get(table.GENERIC), address, "guess")
    there = {name for name, asked in names.items() if _result(asked, ends)}
    imap = next((f"{name}.{domain}" for name in _IMAP_NAMES if f"{name}.{domain}" in there), "")
    smtp = next((f"{name}.{domain}" for name in _SMTP_NAMES if f"{name}.{domain}" in there), "")
    if imap and smtp:
        return replace(guess, imap=replace(guess.imap, host=imap), smtp=replace(guess.smtp, host=smtp), how="names")
    return guess


def _row_of(host: str) -> Provider:
    return table.of_server(host) or table.get(table.GENERIC)


def _made(row: Provider, address: str, how: How, mx: str = "") -> Recognised:
    name, at, _ = address.strip().rpartition("@")
    domain = domain_of(address)
    imap, smtp = row.servers(f"{name}{at}{domain}" if domain else address.strip(), mx=mx)
    return Recognised(row, imap, smtp, how)


def _for(kept: Recognised, address: str) -> Recognised:
    """Put the person's own name in: what is kept is the domain's, for everybody."""
    local = address.rpartition("@")[0]
    return replace(
        kept,
        imap=replace(kept.imap, username=kept.imap.username.replace("%LOCAL%", local)),
        smtp=replace(kept.smtp, username=kept.smtp.username.replace("%LOCAL%", local)),
    )


def _result(asked: Future[T], ends: float) -> T | None:
    try:
        return asked.result(max(ends - time.monotonic(), 0))
    except Late:
        asked.cancel()
        return None


def _remembered(domain: str) -> Recognised | None:
    with _lock:
        found = _kept.get(domain)
        return found[1] if found and time.monotonic() - found[0] < KEPT_S else None


def _remember(domain: str, found: Recognised) -> None:
    with _lock:
        if found.how == "guess":
            return  # perhaps only nobody answered
        if len(_kept) >= KEPT_MOST:
            _kept.clear()
        _kept[domain] = time.monotonic(), found


def forget() -> None:
    """Forget what was asked (tests)."""
    with _lock:
        _kept.clear()
