"""How much a provider takes in the files of one email, as far as it says so in its help pages (providers.toml).

A server's own SIZE (RFC 1870) is learnt only while sending; this is said before the upload. What the table does not
know gets the limit that most keep, and a refusal still says why.
"""

from __future__ import annotations

from mailcrm.services.mail.providers import table

MB = 1024 * 1024

#: Bytes of files in one email: Gmail's, Microsoft 365's and Yahoo's limit, and what most others keep.
COMMON = 25 * MB


#: By the end of the SMTP host's name, the longest that fits; the numbers of providers stand in providers.toml.
_HOSTS: tuple[tuple[str, int], ...] = tuple(
    (host, each.size_mb * MB) for each in table.all_bears() for host in each.hosts if each.size_mb
)


def of_host(host: str) -> int:
    """Return how many bytes of files the provider behind an SMTP host's name takes in one email."""
    name = host.lower().rstrip(".")
    fits = [(len(end), most) for end, most in _HOSTS if name == end or name.endswith("." + end)]
    return max(fits)[1] if fits else COMMON
