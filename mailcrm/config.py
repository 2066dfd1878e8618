"""Settings from the environment: the only reader of os.environ.

Does not open, create or test anything besides the data folder and the key file. Names and defaults:
`contract.md`, "Settings".
"""

from __future__ import annotations

import functools
import os
import secrets
import stat
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from mailcrm.errors import ConfigError

DEFAULT_PORT = 8000
KEY_BYTES = 32


@dataclass(frozen=True)
class Setting:
    """One setting as `doctor` shows it: its value, and where that came from."""

    name: str
    value: str
    origin: str  # "environment" or "default"


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
    secret_keys: tuple[str, ...] = field(repr=False)
    shown: tuple[Setting, ...] = ()

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
        secret_keys=_secret_keys(
            data_dir,
            get("MAILCRM_SECRET_KEY", "", secret=True),
            get("MAILCRM_SECRET_KEY_FILE", str(data_dir / "secret.key")),
        ),
        shown=tuple(shown),
    )


@functools.cache
def config() -> Config:
    """The process's settings, read once."""
    return load()


def reset() -> None:
    """Forget the settings that were read (tests change the environment)."""
    config.cache_clear()


def _port(value: str) -> int:
    if not value.isdigit() or not 0 < int(value) < 65536:
        raise ConfigError("config.invalid", name="MAILCRM_PORT", value=value, why="it must be a number from 1 to 65535")
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


def _flag(name: str, value: str) -> bool:
    if value.lower() not in ("", "0", "1", "true", "false", "yes", "no"):
        raise ConfigError("config.invalid", name=name, value=value, why="it must be 1 or 0")
    return value.lower() in ("1", "true", "yes")


def _secret_keys(data_dir: Path, inline: str, file: str) -> tuple[str, ...]:
    """Keys from the variable, or from the file, which is made with mode 0600 on the first start."""
    if inline:
        keys = inline.replace(",", " ").split()
    else:
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
        keys = path.read_text(errors="replace").split()
    if not keys or any(len(key) < KEY_BYTES for key in keys):
        why = f"each key needs at least {KEY_BYTES} characters"
        raise ConfigError("config.invalid", name="MAILCRM_SECRET_KEY", value="…", why=why)
    return tuple(keys)


def _write_key(path: Path) -> None:
    """Create the key file exclusively, so that two processes starting together share one key.

    The key is written to a private file first and linked into place, so nobody reads half a key.
    """
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as handle:
        handle.write(secrets.token_urlsafe(KEY_BYTES) + "\n")
    try:
        os.link(draft, path)
    except FileExistsError:
        pass  # another process was first: its key holds
    finally:
        draft.unlink()
