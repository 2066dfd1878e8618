"""How much a provider bears: connections for one mailbox, how long IDLE may stand, how often to look otherwise.

The budget of connections is static and holds across all processes, because each role has at most one holder:

| role  | connections | who sees to it                                                            |
|-------|-------------|---------------------------------------------------------------------------|
| watch | `watch`     | one watcher for the whole database (watch/sole.py)                        |
| sync  | `SYNC`      | the mailbox's lease (sync/lease.py); the second one is the fresh look     |
| write | `WRITE`     | one writer for a mailbox: actions, the copy in Sent                       |

A test holds that their sum stays within `connections` for every provider. A provider that bears only two has no
watcher's connection: the sweep looks every `poll_s`.
Numbers: providers.md §3 and §8, sync.md A3. Hosts decide, not addresses: many domains live at the same provider.
Pure: no settings, no network.
"""

from __future__ import annotations

from dataclasses import dataclass

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

_STRICT = Pace(connections=4, watch=1, renew_s=4 * 60, poll_s=120)

#: By the end of the IMAP host's name, the first that fits.
_HOSTS: tuple[tuple[str, Pace], ...] = (
    ("gmail.com", Pace(connections=15, watch=2, all_mail=True)),
    ("googlemail.com", Pace(connections=15, watch=2, all_mail=True)),
    ("office365.com", Pace(connections=8, watch=1, poll_s=180, safety_s=3 * 60)),  # without CONDSTORE: flags by passes
    ("outlook.com", Pace(connections=8, watch=1, poll_s=180, safety_s=3 * 60)),
    ("office365.us", Pace(connections=8, watch=1, poll_s=180, safety_s=3 * 60)),
    ("mail.yahoo.com", Pace(connections=3, watch=0, idle=False, poll_s=90)),  # "[LIMIT]": two or so at once
    ("mail.yahoo.co.jp", Pace(connections=3, watch=0, idle=False, poll_s=90)),
    ("aol.com", Pace(connections=3, watch=0, idle=False, poll_s=90)),
    ("me.com", Pace(connections=5, watch=1)),
    ("icloud.com", Pace(connections=5, watch=1)),
    ("163.com", Pace(connections=4, watch=1, idle=False, poll_s=55)),  # only STATUS keeps the connection alive
    ("126.com", Pace(connections=4, watch=1, idle=False, poll_s=55)),
    ("yeah.net", Pace(connections=4, watch=1, idle=False, poll_s=55)),
    ("qq.com", _STRICT),
    ("139.com", _STRICT),
    ("aliyun.com", _STRICT),
    ("yandex.com", _STRICT),
    ("yandex.ru", _STRICT),
    ("mail.ru", _STRICT),
    ("gmx.net", _STRICT),
    ("gmx.com", _STRICT),
    ("web.de", _STRICT),
    ("rambler.ru", Pace(connections=4, watch=1, renew_s=50)),  # ends an IDLE of a minute
    ("naver.com", Pace(connections=4, watch=1, idle=False, poll_s=60)),  # shows changes only after a new SELECT
)


def of_host(host: str) -> Pace:
    """Return what the provider behind an IMAP host's name bears; unknown hosts get the common limits."""
    name = host.lower().rstrip(".")
    for end, pace in _HOSTS:
        if name == end or name.endswith("." + end):
            return pace
    return GENERIC
