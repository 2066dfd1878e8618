"""The table of mail providers (M11): what `providers.toml` says, checked once, and found by key, domain, MX or server.

Data only: opens no connection and knows no user. Who recognises an address by asking the network is `recognise.py`; what
a server bears is `pace.py`, how large an email may be is `sizes.py`. Both read these rows.
"""

from __future__ import annotations

import functools
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Literal, TypeVar, cast

from mailcrm.services.mail.providers.values import Security, ServerSpec

FILE = Path(__file__).with_name("providers.toml")
GENERIC = "generic"

#: How people sign in: at the provider ("google", "microsoft"), or with what kind of secret.
Auth = Literal["google", "microsoft", "app_password", "password", "code"]
#: Whether the server keeps a copy of what it sends in Sent by itself; "unknown" is looked at each time.
SavesSent = Literal["yes", "no", "unknown"]
#: What the user name is made of: the whole address, or what stands before the @.
NameForm = Literal["address", "local"]

T = TypeVar("T")

_AUTHS = ("google", "microsoft", "app_password", "password", "code")
_BRACES = re.compile(r"\{([^{}]*)\}")
_PLACEHOLDER = "{domain}"


@dataclass(frozen=True, slots=True)
class Where:
    """A server as the table names it; the host may hold `{domain}`, or be empty where every customer has an own."""

    host: str
    port: int
    security: Security


@dataclass(frozen=True, slots=True)
class Bears:
    """What servers whose names end so bear: `pace` are arguments of pace.Pace, empty for the common limits."""

    hosts: tuple[str, ...]
    pace: Mapping[str, Any]
    size_mb: int | None
    saves_sent: SavesSent
    send_id: bool


@dataclass(frozen=True, slots=True)
class Region:
    """Other servers of a provider, for some of its domains or MX."""

    domains: tuple[str, ...]
    mx: tuple[str, ...]
    imap: Where
    smtp: Where


@dataclass(frozen=True, slots=True)
class Provider:
    """One row. `system` is its number in providers.md; `auth` in the order they are offered; `unsure` is no one's to rely on.

    `steps` are instructions by language, `secret_url` where the app password (or whatever it is called) is made.
    """

    key: str
    system: int
    name: str
    title: str
    mark: str
    hue: str
    tile: bool
    domains: tuple[str, ...]
    mx: tuple[str, ...]
    imap: Where
    smtp: Where
    regions: tuple[Region, ...]
    username: NameForm
    smtp_username: NameForm
    auth: tuple[Auth, ...]
    bears: Bears
    folders: Mapping[str, str]
    steps: Mapping[str, tuple[str, ...]]
    secret_url: str
    quirks: tuple[str, ...]
    unsure: str

    @property
    def signs_in_at(self) -> Literal["google", "microsoft", ""]:
        """Where its users sign in instead of giving us a secret, "" for none."""
        for each in self.auth:
            if each == "google" or each == "microsoft":
                return each
        return ""

    @property
    def secret_kind(self) -> Literal["app_password", "password", "code", ""]:
        """The kind of secret that is asked for, "" where only signing in works."""
        for each in self.auth:
            if each == "app_password" or each == "password" or each == "code":
                return each
        return ""

    def servers(self, address: str, *, mx: str = "") -> tuple[ServerSpec, ServerSpec]:
        """Return where to read and to send for an address of this provider: (IMAP, SMTP)."""
        local, _, domain = address.rpartition("@")
        found = next((r for r in self.regions if _fits(domain, r.domains) or (mx and _fits(mx, r.mx))), None)
        imap, smtp = (found.imap, found.smtp) if found else (self.imap, self.smtp)
        forms = {"address": address, "local": local}
        return _spec(imap, domain, forms[self.username]), _spec(smtp, domain, forms[self.smtp_username])


@functools.cache
def providers() -> tuple[Provider, ...]:
    """Return every row, in the order of the tiles. Raises ValueError, KeyError or TypeError for a file that is wrong."""
    rows = tuple(_provider(raw) for raw in _read()["provider"])
    keys = [row.key for row in rows]
    if len(set(keys)) != len(keys) or GENERIC not in keys:
        raise ValueError("providers.toml: a key is there twice, or none is generic")
    return rows


def get(key: str) -> Provider:
    """Return a row by its key; a key nobody knows (any more) is the generic one."""
    rows = {row.key: row for row in providers()}
    return rows.get(key) or rows[GENERIC]


def of_domain(domain: str) -> Provider | None:
    """Return the provider whose domain it is, None when the table does not say."""
    name = domain.strip().lower().rstrip(".")
    for row in providers():
        if _fits(name, row.domains) or any(_fits(name, region.domains) for region in row.regions):
            return row
    return None


def of_mx(names: Iterable[str]) -> tuple[Provider, str] | None:
    """Return the provider that receives a domain's mail and the name that says so; `names` with the best one first."""
    for raw in names:
        name = raw.strip().lower().rstrip(".")
        found = [
            (pattern, row)
            for row in providers()
            for pattern in (*row.mx, *(each for region in row.regions for each in region.mx))
            if fnmatchcase(name, pattern)
        ]
        if found:  # the pattern that says most: mail.gm0.yahoodns.net is AOL's, *.yahoodns.net Yahoo's
            return max(found, key=lambda pair: len(pair[0].replace("*", "")))[1], name
    return None


def of_server(host: str) -> Provider | None:
    """Return the provider whose server it is."""
    return _longest(host, [(row.bears.hosts, row) for row in providers()])


def bears(host: str) -> Bears | None:
    """Return what a server bears; None for one that nobody wrote anything about."""
    return _longest(host, [(each.hosts, each) for each in all_bears()])


@functools.cache
def all_bears() -> tuple[Bears, ...]:
    """Return what is known of servers: of the providers, and of those that are in nobody's list of tiles."""
    others = tuple(_bears(raw, tuple(raw["hosts"])) for raw in _read().get("bears", []))
    return (*(row.bears for row in providers() if row.bears.hosts), *others)


def _longest(host: str, rows: Iterable[tuple[tuple[str, ...], T]]) -> T | None:
    name = host.strip().lower().rstrip(".")
    best: tuple[int, T] | None = None
    for ends, row in rows:
        for end in ends:
            if (name == end or name.endswith("." + end)) and (best is None or len(end) > best[0]):
                best = len(end), row
    return best[1] if best else None


def _fits(name: str, patterns: Iterable[str]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def _spec(where: Where, domain: str, username: str) -> ServerSpec:
    return ServerSpec(where.host.replace(_PLACEHOLDER, domain), where.port, where.security, username)


@functools.cache
def _read() -> dict[str, Any]:
    return tomllib.loads(FILE.read_text("utf-8"))


def _provider(raw: dict[str, Any]) -> Provider:
    auth = tuple(raw["auth"])
    if not auth or any(each not in _AUTHS for each in auth):
        raise ValueError(f"providers.toml: {raw['key']} signs in with {auth}")
    return Provider(
        key=raw["key"],
        system=raw["system"],
        name=raw["name"],
        title=raw["title"],
        mark=raw["mark"],
        hue=raw["hue"],
        tile=raw.get("tile", True),
        domains=_expanded(raw["domains"]),
        mx=tuple(raw["mx"]),
        imap=_where(raw["imap"]),
        smtp=_where(raw["smtp"]),
        regions=tuple(
            Region(_expanded(each.get("domains", [])), tuple(each["mx"]), _where(each["imap"]), _where(each["smtp"]))
            for each in raw.get("region", [])
        ),
        username=_one_of(raw.get("username", "address"), ("address", "local")),
        smtp_username=_one_of(raw.get("smtp_username", "address"), ("address", "local")),
        auth=cast("tuple[Auth, ...]", auth),
        bears=_bears(raw, tuple(raw["hosts"])),
        folders=raw["folders"],
        steps={"en": tuple(raw["steps_en"]), "ja": tuple(raw["steps_ja"])},
        secret_url=raw["secret_url"],
        quirks=tuple(raw["quirks"]),
        unsure=raw["unsure"],
    )


def _bears(raw: dict[str, Any], hosts: tuple[str, ...]) -> Bears:
    return Bears(
        hosts=hosts,
        pace=raw.get("pace", {}),
        size_mb=raw.get("size_mb"),
        saves_sent=_one_of(raw.get("saves_sent", "no"), ("yes", "no", "unknown")),
        send_id=bool(raw.get("send_id", False)),
    )


def _where(raw: list[Any]) -> Where:
    host, port, security = raw
    if not isinstance(host, str) or not 0 < port < 65536:
        raise ValueError(f"providers.toml: {raw} is no server")
    return Where(host, port, _one_of(security, ("ssl", "starttls")))


def _one_of(value: str, allowed: tuple[str, ...]) -> Any:
    if value not in allowed:
        raise ValueError(f"providers.toml: {value} is none of {allowed}")
    return value


def _expanded(patterns: Iterable[str]) -> tuple[str, ...]:
    """Write out "gmx.{net,de}"."""
    out: list[str] = []
    for pattern in patterns:
        braces = _BRACES.search(pattern)
        if braces is None:
            out.append(pattern)
        else:
            out += [pattern[: braces.start()] + each + pattern[braces.end() :] for each in braces[1].split(",")]
    return tuple(out)
