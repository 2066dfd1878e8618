"""What `doctor` looks at: every setting with its origin, then what the start would trip over."""

from __future__ import annotations

import http.client
import sys
from collections.abc import Callable

from mailcrm import build, config
from mailcrm.errors import ConfigError, MailcrmError
from mailcrm.services import db


def run() -> int:
    """Print everything; return 1 when something is wrong, 0 otherwise."""
    try:
        settings = config.config()
    except ConfigError as error:
        print(f"wrong    {error}")
        return 1
    width = max(len(setting.name) for setting in settings.shown)
    for setting in settings.shown:
        print(f"{setting.name.ljust(width)}  {_masked(setting.name, setting.value) or '(empty)'}  ({setting.origin})")
    print()
    results = [_try(name, check) for name, check in CHECKS]
    return 0 if all(results) else 1


def _python() -> str:
    return f"{sys.version.split()[0]} at {sys.executable}"


def _database() -> str:
    db.check_not_newer()
    found, wanted = db.current_revision(), db.head_revision()
    return f"at {found}" if found == wanted else f"at {found or 'nothing'}; serve or migrate brings it to {wanted}"


def _soundness() -> str:
    from mailcrm.services import soundness

    if db.current_revision() is None:
        return "empty"
    if damage := soundness.look().damage:
        raise ConfigError("database.damaged", what=damage)
    return (
        "every page, index and reference is in order" if db.engine().dialect.name == "sqlite" else "left to PostgreSQL"
    )


def _disk() -> str:
    from mailcrm.services import soundness

    if found := soundness.disk():
        raise RuntimeError(found)
    return "has room"


def _queue() -> str:
    from mailcrm.serve import check_services

    check_services(config.config())
    return "answers"


def _interface() -> str:
    return "built" if build.is_current() else f"will be built at the next start, with Node from {build.node_folder()}"


def _address() -> str:
    from mailcrm.serve import check_address

    settings = config.config()
    try:
        check_address(settings.host, settings.port)
    except ConfigError:
        if not _is_mailcrm(settings.host, settings.port):
            raise
        return f"mailcrm is running at {settings.host}:{settings.port}"
    return f"{settings.host}:{settings.port} is free"


def _is_mailcrm(host: str, port: int) -> bool:
    asked = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104  compared with, not listened on
    line = http.client.HTTPConnection(asked, port, timeout=3)
    try:
        line.request("GET", "/healthz")
        return line.getresponse().read(16) == b"ok\n"
    except (OSError, http.client.HTTPException):
        return False
    finally:
        line.close()


def _google() -> str:
    from mailcrm.services.mail.oauth import checkup

    return checkup.look("google")


def _microsoft() -> str:
    from mailcrm.services.mail.oauth import checkup

    return checkup.look("microsoft")


CHECKS: tuple[tuple[str, Callable[[], str]], ...] = (
    ("Python", _python),
    ("Database", _database),
    ("Soundness", _soundness),
    ("Disk", _disk),
    ("Queue", _queue),
    ("Interface", _interface),
    ("Address", _address),
    ("Sign-in with Google", _google),
    ("Sign-in with Microsoft", _microsoft),
)


def _try(name: str, check: Callable[[], str]) -> bool:
    try:
        print(f"ok       {name}: {check()}")
    except MailcrmError as error:
        print(f"wrong    {name}: {error}")
        return False
    except Exception as error:  # a driver's own error: the database or queue can't be reached
        print(f"wrong    {name}: {str(error).strip().splitlines()[0] or type(error).__name__}")
        return False
    return True


def _masked(name: str, value: str) -> str:
    """Hide the password inside a URL."""
    from mailcrm.logs import strike_text

    return strike_text(value) if name.endswith("_URL") else value
