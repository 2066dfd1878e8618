"""Settings from the environment: the only reader of os.environ.

Does not open, create or test anything besides the data folder and the key file. Names and defaults:
`contract.md`, "Settings".
"""

from __future__ import annotations

import functools
import ipaddress
import os
import re
import secrets
import stat
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

from mailcrm.errors import ConfigError

DEFAULT_PORT = 8000
KEY_BYTES = 32
#: Setting of one provider's endpoint or server -> default. A national cloud, or a test, gives others.
OAUTH_URLS = {
    "GOOGLE_AUTHORIZE": "https://accounts.google.com/o/oauth2/v2/auth",
    "GOOGLE_TOKEN": "https://oauth2.googleapis.com/token",
    "GOOGLE_REVOKE": "https://oauth2.googleapis.com/revoke",
    "GOOGLE_IMAP": "imaps://imap.gmail.com:993",
    "GOOGLE_SMTP": "smtps://smtp.gmail.com:465",
    "MICROSOFT_AUTHORIZE": "https://login.microsoftonline.com/{tenant}/oauth2/v2.0/authorize",
    "MICROSOFT_TOKEN": "https://login.microsoftonline.com/{tenant}/oauth2/v2.0/token",
    "MICROSOFT_IMAP": "imaps://outlook.office365.com:993",
    "MICROSOFT_SMTP": "smtp://smtp.office365.com:587",
}
_MAIL_SCHEMES = {"imaps": 993, "imap": 143, "smtps": 465, "smtp": 587}


@dataclass(frozen=True)
class Setting:
    """One setting as `doctor` shows it: its value, and where that came from."""

    name: str
    value: str
    origin: str  # "environment" or "default"


@dataclass(frozen=True)
class SmtpSettings:
    """The server that the workspace's own mail goes through (confirmations, alerts); host "" is none."""

    host: str
    port: int
    security: str  # "ssl", "starttls" or "none"
    username: str
    password: str = field(repr=False)
    sender: str


@dataclass(frozen=True)
class BccSettings:
    """Smart Bcc: the domain of its addresses, where it listens, whom it believes. Every "" is off."""

    domain: str
    protocol: str  # "smtp" or "lmtp"
    host: str
    port: int  # 0: no listener
    certificate: str  # PEM files; both "" are no STARTTLS
    key: str
    #: The names that one's own mail servers put into Authentication-Results (RFC 8601), in lower case.
    authservs: frozenset[str]
    #: Whose ARC seals are believed, in lower case.
    sealers: frozenset[str]
    #: Hosts that may say for whom they hand mail over (XFORWARD).
    relays: tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...]
    #: The name server for SPF and DKIM, "host:port"; "" is the system's.
    resolver: str


@dataclass(frozen=True)
class OAuthApp:
    """The app that the operator registered at Google or Microsoft; both empty: nobody signs in there.

    `imap` and `smtp` are URLs; with "imaps" and "smtps" TLS comes first, with "imap" and "smtp" STARTTLS.
    """

    client_id: str
    client_secret: str = field(repr=False)
    authorize_url: str
    token_url: str
    revoke_url: str
    imap: str
    smtp: str
    tenant: str = ""

    @property
    def is_set_up(self) -> bool:
        """True when people can be sent there to sign in."""
        return bool(self.client_id)


@dataclass(frozen=True)
class Config:
    """Every setting, parsed and checked. Secrets are kept out of repr."""

    data_dir: Path
    database_url: str = field(repr=False)
    queue_url: str = field(repr=False)
    redis_url: str = field(repr=False)
    host: str
    port: int
    public_url: str
    tracking_url: str
    worker: str
    log: str
    allow_private_hosts: bool
    proxy_hops: int
    trash_days: int
    smtp: SmtpSettings
    bcc: BccSettings
    _keys: tuple[str, ...] = field(repr=False)
    #: Where the keys came from, None when the variable holds them itself.
    key_file: Path | None
    google: OAuthApp
    microsoft: OAuthApp
    shown: tuple[Setting, ...] = ()

    @property
    def secret_keys(self) -> tuple[str, ...]:
        """The keys, the first of which seals: as the key file has them now, so that a rotation reaches all processes.

        A file that is gone or broken meanwhile changes nothing for processes that run.
        """
        if self.key_file is None:
            return self._keys
        try:
            found = self.key_file.stat()
            return _keys_of(str(self.key_file), found.st_mtime_ns, found.st_ino)
        except (OSError, ConfigError):
            return self._keys

    @property
    def secure_cookies(self) -> bool:
        """True when browsers reach us over https, so that cookies may be `__Host-` and Secure."""
        return self.public_url.startswith("https://")


def load(environ: dict[str, str] | None = None) -> Config:
    """Read and check the settings; make the data folder (0700) and the secret key (0600) on first use.

    Raises ConfigError with one sentence on the first bad value.
    """
    env = dict(os.environ if environ is None else environ)
    shown: list[Setting] = []

    def get(name: str, default: str, *, secret: bool = False) -> str:
        value = env.get(name, "").strip()
        origin = "environment" if value else "default"
        value = value or default
        shown.append(Setting(name, "set" if secret and value else value, origin))
        return value

    data_dir = _folder(get("MAILCRM_DATA_DIR", "./data"))
    host = get("MAILCRM_HOST", "127.0.0.1")
    port = _port(get("MAILCRM_PORT", str(DEFAULT_PORT)))
    public_url = _url("MAILCRM_PUBLIC_URL", get("MAILCRM_PUBLIC_URL", f"http://localhost:{port}"))
    keys, key_file = _secret_keys(
        data_dir,
        get("MAILCRM_SECRET_KEY", "", secret=True),
        get("MAILCRM_SECRET_KEY_FILE", str(data_dir / "secret.key")),
    )
    return Config(
        data_dir=data_dir,
        database_url=_database(get("MAILCRM_DATABASE_URL", f"sqlite:///{data_dir / 'mailcrm.sqlite3'}")),
        queue_url=get("MAILCRM_QUEUE_URL", f"sqlite:///{data_dir / 'queue.sqlite3'}"),
        redis_url=_redis(get("MAILCRM_REDIS_URL", "")),
        host=host,
        port=port,
        public_url=public_url,
        tracking_url=_url("MAILCRM_TRACKING_URL", get("MAILCRM_TRACKING_URL", public_url)),
        worker=_choice("MAILCRM_WORKER", get("MAILCRM_WORKER", "embedded"), ("embedded", "external")),
        log=_choice("MAILCRM_LOG", get("MAILCRM_LOG", "text"), ("text", "json")),
        allow_private_hosts=_flag("MAILCRM_ALLOW_PRIVATE_HOSTS", get("MAILCRM_ALLOW_PRIVATE_HOSTS", "")),
        proxy_hops=_count("MAILCRM_PROXY_HOPS", get("MAILCRM_PROXY_HOPS", "0")),
        trash_days=_count("MAILCRM_TRASH_DAYS", get("MAILCRM_TRASH_DAYS", "30")),
        smtp=_smtp(get),
        bcc=_bcc(get),
        _keys=keys,
        key_file=key_file,
        google=_oauth_app(get, "GOOGLE"),
        microsoft=_oauth_app(get, "MICROSOFT"),
        shown=tuple(shown),
    )


@functools.cache
def config() -> Config:
    """The process's settings, read once."""
    return load()


def reset() -> None:
    """Forget the settings that were read (tests change the environment)."""
    config.cache_clear()


def _port(value: str, name: str = "MAILCRM_PORT") -> int:
    if not value.isdigit() or not 0 < int(value) < 65536:
        raise ConfigError("config.invalid", name=name, value=value, why="it must be a number from 1 to 65535")
    return int(value)


def _count(name: str, value: str) -> int:
    if not value.isdigit():
        raise ConfigError("config.invalid", name=name, value=value, why="it must be a number")
    return int(value)


def _folder(value: str) -> Path:
    path = Path(value).expanduser().resolve()
    try:
        path.mkdir(parents=True, exist_ok=True, mode=0o700)
        usable = os.access(path, os.W_OK | os.X_OK)
    except OSError:  # a file of that name, or a parent that we may not write to
        usable = False
    if not usable:
        why = "it must be a folder that can be made and written to"
        raise ConfigError("config.invalid", name="MAILCRM_DATA_DIR", value=value, why=why)
    return path


def _url(name: str, value: str) -> str:
    try:
        parts = urlsplit(value)
        good = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:  # a port that is no number, an unclosed bracket
        good = False
    if not good or not value.isprintable() or any(char in value for char in ' "<>\\?#@'):
        raise ConfigError("config.invalid", name=name, value=value, why="it must look like https://crm.example")
    return value.rstrip("/")


class _Get(Protocol):
    def __call__(self, name: str, default: str, *, secret: bool = False) -> str: ...


def _oauth_app(get: _Get, provider: str) -> OAuthApp:
    """One provider's app. A client ID without its secret, or the other way round, stops the start."""
    client_id = get(f"MAILCRM_{provider}_CLIENT_ID", "")
    client_secret = get(f"MAILCRM_{provider}_CLIENT_SECRET", "", secret=True)
    if bool(client_id) != bool(client_secret):
        missing = "CLIENT_SECRET" if client_id else "CLIENT_ID"
        why = "the client ID and its secret are given together, or neither"
        raise ConfigError("config.invalid", name=f"MAILCRM_{provider}_{missing}", value="", why=why)
    tenant = get("MAILCRM_MICROSOFT_TENANT", "common") if provider == "MICROSOFT" else ""
    if tenant and not tenant.replace("-", "").replace(".", "").isalnum():
        why = "it must be common, organizations, consumers, a tenant's ID or its domain"
        raise ConfigError("config.invalid", name="MAILCRM_MICROSOFT_TENANT", value=tenant, why=why)
    urls = {
        kind: get(f"MAILCRM_OAUTH_{provider}_{kind}_URL", default.format(tenant=tenant))
        for kind in ("AUTHORIZE", "TOKEN", "REVOKE", "IMAP", "SMTP")
        if (default := OAUTH_URLS.get(f"{provider}_{kind}"))
    }
    for kind, url in urls.items():
        _oauth_url(f"MAILCRM_OAUTH_{provider}_{kind}_URL", url, mail=kind.lower() if kind in ("IMAP", "SMTP") else "")
    return OAuthApp(
        client_id, client_secret, urls["AUTHORIZE"], urls["TOKEN"], urls.get("REVOKE", ""), urls["IMAP"], urls["SMTP"],
        tenant,
    )  # fmt: skip


def _oauth_url(name: str, value: str, *, mail: str) -> None:
    """Refuse what is not an https URL, or for a mail server not imap(s):// or smtp(s)://."""
    try:
        parts = urlsplit(value)
        good = bool(parts.hostname) and parts.port != 0 and not parts.username
    except ValueError:
        good, parts = False, None
    schemes = (mail, f"{mail}s") if mail else ("https",)
    if not good or parts is None or parts.scheme not in schemes or not value.isprintable() or " " in value:
        why = f"it must look like {schemes[-1]}://host" + ("" if not mail else " or " + schemes[0] + "://host")
        raise ConfigError("config.invalid", name=name, value=value, why=why)


def mail_server(url: str) -> tuple[str, int, str]:
    """Return host, port and security ("ssl" or "starttls") of a mail server's URL."""
    parts = urlsplit(url)
    return (
        parts.hostname or "",
        parts.port or _MAIL_SCHEMES[parts.scheme],
        "ssl" if parts.scheme[-1] == "s" else "starttls",
    )


def _redis(value: str) -> str:
    if value and not value.startswith(("redis://", "rediss://", "unix://")):
        why = "it must begin with redis://, rediss:// or unix://"
        raise ConfigError(
            "config.invalid", name="MAILCRM_REDIS_URL", value=value.split(":", maxsplit=1)[0] + ":…", why=why
        )
    return value


def _database(value: str) -> str:
    if not value.startswith(("sqlite:///", "postgresql+psycopg://")):
        why = "it must begin with sqlite:/// or postgresql+psycopg://"
        raise ConfigError(
            "config.invalid", name="MAILCRM_DATABASE_URL", value=value.split(":", maxsplit=1)[0] + ":…", why=why
        )
    return value


def _choice(name: str, value: str, allowed: tuple[str, ...]) -> str:
    if value not in allowed:
        raise ConfigError("config.invalid", name=name, value=value, why="it must be " + " or ".join(allowed))
    return value


def _smtp(get: Callable[..., str]) -> SmtpSettings:
    security = _choice("MAILCRM_SMTP_SECURITY", get("MAILCRM_SMTP_SECURITY", "starttls"), ("ssl", "starttls", "none"))
    usual = {"ssl": "465", "starttls": "587", "none": "25"}[security]
    host, username = get("MAILCRM_SMTP_HOST", ""), get("MAILCRM_SMTP_USERNAME", "")
    sender = get("MAILCRM_SMTP_FROM", username if "@" in username else "")
    if host and not re.fullmatch(r"[^\s@<>,;:\x00-\x1f]+@[^\s@<>,;:\x00-\x1f]+", sender):
        raise ConfigError("config.invalid", name="MAILCRM_SMTP_FROM", value=sender, why="it must be an email address")
    return SmtpSettings(
        host=host,
        port=_port(get("MAILCRM_SMTP_PORT", usual), "MAILCRM_SMTP_PORT"),
        security=security,
        username=username,
        password=get("MAILCRM_SMTP_PASSWORD", "", secret=True),
        sender=sender,
    )


def _bcc(get: Callable[..., str]) -> BccSettings:
    domain = get("MAILCRM_BCC_DOMAIN", "").lower().strip(".")
    if domain and not re.fullmatch(r"[a-z0-9-]+(\.[a-z0-9-]+)*", domain):
        raise ConfigError("config.invalid", name="MAILCRM_BCC_DOMAIN", value=domain, why="it must be a domain")
    listen = get("MAILCRM_BCC_LISTEN", "")
    protocol, host, port = "smtp", "", 0
    if listen:
        found = re.fullmatch(r"(?:(smtp|lmtp)://)?(\[[0-9A-Fa-f:]+\]|[^:/\[\]]+):(\d+)", listen)
        if found is None:
            why = "it must look like 0.0.0.0:25 or lmtp://127.0.0.1:2424"
            raise ConfigError("config.invalid", name="MAILCRM_BCC_LISTEN", value=listen, why=why)
        protocol, host = found[1] or "smtp", found[2].strip("[]")
        port = _port(found[3], "MAILCRM_BCC_LISTEN")
        if not domain:
            why = "with MAILCRM_BCC_LISTEN it must be the domain whose mail comes here"
            raise ConfigError("config.invalid", name="MAILCRM_BCC_DOMAIN", value="", why=why)
    certificate, key = get("MAILCRM_BCC_CERT", ""), get("MAILCRM_BCC_KEY", "")
    for name, path in (("MAILCRM_BCC_CERT", certificate), ("MAILCRM_BCC_KEY", key or certificate)):
        if certificate and not os.access(path, os.R_OK):
            raise ConfigError("config.invalid", name=name, value=path, why="it must be a file that this user can read")
    resolver = get("MAILCRM_BCC_RESOLVER", "")
    if resolver and not re.fullmatch(r"(\[[0-9A-Fa-f:]+\]|[0-9.]+):\d{1,5}", resolver):
        why = "it must look like 127.0.0.1:53"
        raise ConfigError("config.invalid", name="MAILCRM_BCC_RESOLVER", value=resolver, why=why)
    return BccSettings(
        domain=domain,
        protocol=protocol,
        host=host,
        port=port,
        certificate=certificate,
        key=key,
        authservs=_names(get("MAILCRM_BCC_AUTHSERV", "")),
        sealers=_names(get("MAILCRM_BCC_ARC_SEALERS", "")),
        relays=_networks(get("MAILCRM_BCC_RELAYS", "") or "127.0.0.0/8 ::1", "MAILCRM_BCC_RELAYS"),
        resolver=resolver,
    )


def _networks(value: str, name: str) -> tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...]:
    try:
        return tuple(ipaddress.ip_network(each) for each in value.replace(",", " ").split())
    except ValueError as error:
        raise ConfigError(
            "config.invalid", name=name, value=value, why="it must look like 10.0.0.5 172.18.0.0/16"
        ) from error


def _names(value: str) -> frozenset[str]:
    return frozenset(value.lower().replace(",", " ").split())


def _flag(name: str, value: str) -> bool:
    if value.lower() not in ("", "0", "1", "true", "false", "yes", "no"):
        raise ConfigError("config.invalid", name=name, value=value, why="it must be 1 or 0")
    return value.lower() in ("1", "true", "yes")


def _secret_keys(data_dir: Path, inline: str, file: str) -> tuple[tuple[str, ...], Path | None]:
    """Keys from the variable, or from the file (returned, too), which is made with mode 0600 on the first start."""
    if inline:
        return _good_keys(inline.replace(",", " ").split()), None
    path = Path(file)
    if not path.exists():
        if path.parent != data_dir:
            why = "the file does not exist"
            raise ConfigError("config.invalid", name="MAILCRM_SECRET_KEY_FILE", value=file, why=why)
        _write_key(path)
    if not path.is_file() or not os.access(path, os.R_OK):
        why = "it must be a file that this user can read"
        raise ConfigError("config.invalid", name="MAILCRM_SECRET_KEY_FILE", value=file, why=why)
    if stat.S_IMODE(path.stat().st_mode) & 0o077:
        why = "other users can read it; run chmod 600 on it"
        raise ConfigError("config.invalid", name="MAILCRM_SECRET_KEY_FILE", value=file, why=why)
    return _good_keys(path.read_text(errors="replace").split()), path


@functools.lru_cache(maxsize=4)
def _keys_of(path: str, _changed: int, _inode: int) -> tuple[str, ...]:
    return _good_keys(Path(path).read_text(errors="replace").split())


def _good_keys(keys: list[str]) -> tuple[str, ...]:
    if not keys or any(len(key) < KEY_BYTES for key in keys):
        why = f"each key needs at least {KEY_BYTES} characters"
        raise ConfigError("config.invalid", name="MAILCRM_SECRET_KEY", value="…", why=why)
    return tuple(keys)


def put_key_in_front(path: Path, *given: str) -> None:
    """Write a new key (or those of a backup) before the others of the key file.

    Whole or not at all, and on the disk when it returns.
    """
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")  # left behind by a kill, it is in nobody's way
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w") as handle:
            first = given or (secrets.token_urlsafe(KEY_BYTES),)
            handle.write("\n".join(dict.fromkeys((*first, *path.read_text().split()))) + "\n")
            handle.flush()
            os.fsync(handle.fileno())
        draft.replace(path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _write_key(path: Path) -> None:
    """Create the key file exclusively, so that two processes starting together share one key.

    The key is written to a private file first and linked into place, so nobody reads half a key.
    """
    # Nobody else's name: not another thread's, nor one that a killed process left, whose number comes again in a container.
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as handle:
        handle.write(secrets.token_urlsafe(KEY_BYTES) + "\n")
    try:
        os.link(draft, path)
    except FileExistsError:
        pass  # another process was first: its key holds
    finally:
        draft.unlink()
