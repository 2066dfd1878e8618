"""How much a provider bears: connections for one mailbox, how long IDLE may stand, how often to look otherwise.

The budget of connections is static and holds across all processes, because each role has at most one holder:

| role  | connections | who sees to it                                                            |
|-------|-------------|---------------------------------------------------------------------------|
| watch | `watch`     | one watcher for the whole database (watch/sole.py)                        |
| sync  | `SYNC`      | the mailbox's lease (sync/lease.py); the second one is the fresh look     |
| write | `WRITE`     | one writer for a mailbox: actions, the copy in Sent                       |

A test holds that their sum stays within `connections` for every provider. A provider that bears only two has no
watcher's connection: the sweep looks every `poll_s`.
Numbers: providers.toml, from providers.md §3 and §8 and sync.md A3. Hosts decide, not addresses: many domains live at the
same provider. Asks no settings and no network.
"""

from __future__ import annotations

from dataclasses import dataclass

from mailcrm.services.mail.providers import table

SYNC = 2  # one works; before a mass deletion is believed, a second, fresh one looks (rule 6)
WRITE = 1


@dataclass(frozen=True, slots=True)
class Pace:
    """What one mailbox at a provider may be asked; times in seconds.

    `idle` False: never IDLE, even where it is offered. `safety_s`: a whole pass although IDLE said nothing, because
    IDLE does not tell everything. `poll_s`: STATUS over the watcher's connection, or a pass where there is none.
    `all_mail`: new mail is watched for in the folder that holds everything (labels, Gmail).
    """

    connections: int = 10  # Dovecot's mail_max_userip_connections
    watch: int = 2
    idle: bool = True
    renew_s: float = 9 * 60  # RFC 2177 has 29 minutes as the end; routers forget a silent connection sooner
    poll_s: float = 120
    safety_s: float = 5 * 60
    all_mail: bool = False


GENERIC = Pace()

#: By the end of the server's name; the numbers of providers stand in providers.toml.
_HOSTS: tuple[tuple[str, Pace], ...] = tuple(
    (host, Pace(**each.pace)) for each in table.all_bears() for host in each.hosts if each.pace
)


def of_host(host: str) -> Pace:
    """Return what the provider behind an IMAP host's name bears; unknown hosts get the common limits."""
    found = table.bears(host)
    return Pace(**found.pace) if found else GENERIC
