"""How much one host may hand over in a minute. Values and `now` in, a yes or no out; one process keeps it in memory.

What is over is put off (4xx), not refused: an honest server comes again.
"""

from __future__ import annotations

import ipaddress
from collections import deque

WINDOW_S = 60.0
MESSAGES = 120  # of one host in a minute
MEGABYTES = 250
RELAYED = 10  # times as much from a relay of one's own, which speaks for many
HOSTS = 10_000  # remembered at once; beyond that the oldest are forgotten


class Limits:
    """Counts what hosts handed over."""

    def __init__(self) -> None:
        self._seen: dict[str, deque[tuple[float, int]]] = {}

    def allows(self, host: str, now: float, *, relay: bool = False) -> bool:
        """Whether this host may hand over another message."""
        seen = self._of(host, now)
        times = RELAYED if relay else 1
        return len(seen) < MESSAGES * times and sum(size for _, size in seen) < MEGABYTES * 1_000_000 * times

    def count(self, host: str, now: float, size: int) -> None:
        """Note a message."""
        self._of(host, now).append((now, size))

    def _of(self, host: str, now: float) -> deque[tuple[float, int]]:
        key = network(host)
        seen = self._seen.pop(key, None) or deque[tuple[float, int]]()
        while seen and seen[0][0] <= now - WINDOW_S:
            seen.popleft()
        self._seen[key] = seen
        while len(self._seen) > HOSTS:
            del self._seen[next(iter(self._seen))]
        return seen


def network(host: str) -> str:
    """Return what one sender is known by: an IPv4 address, or the /64 of an IPv6 one."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host
    if isinstance(address, ipaddress.IPv6Address):
        return str(ipaddress.ip_network((int(address) >> 64 << 64, 64)))
    return str(address)
