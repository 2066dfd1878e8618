"""HTTP to a provider's endpoints: verified TLS with the trust of this machine, time-outs, no redirects, no retries.

The endpoints are the operator's settings, so they may be inside the network; sockets are opened by the guard of all
outgoing connections all the same (providers/hosts.py): to the address that was vetted, and never to a cloud's metadata.
What goes wrong on the way leaves as TransientError `oauth.unavailable`; what the endpoint says is the caller's to read.
"""

# requests and urllib3 type their adapters loosely; what leaves this module is annotated.
# pyright: reportUnknownMemberType=false, reportAssignmentType=false

from __future__ import annotations

import socket
import ssl
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from mailcrm.errors import MailcrmError, TransientError
from mailcrm.services.mail.oauth.values import NAMES, Provider
from mailcrm.services.mail.providers import hosts

TIMEOUT_S = 15.0  # for connecting and for each read; a person may be waiting
MOST_WAIT_S = 900.0  # of what a Retry-After may ask


class Busy(Exception):
    """The endpoint answered 429 or 5xx: it is to be asked again later."""

    def __init__(self, retry_after: float | None) -> None:
        super().__init__("the endpoint is busy")
        self.retry_after = retry_after


def _open(host: str, port: int) -> socket.socket:
    try:
        return hosts.open_socket(host, port, allow_private=True, loopback_only=False, timeout=TIMEOUT_S)
    except MailcrmError as error:
        raise OSError(f"{host} is not reachable") from error


class _Plain(HTTPConnection):
    def _new_conn(self) -> socket.socket:
        return _open(self.host, self.port)


class _Secure(HTTPSConnection):
    def _new_conn(self) -> socket.socket:
        return _open(self.host, self.port)


class _PlainPool(HTTPConnectionPool):
    ConnectionCls = _Plain


class _SecurePool(HTTPSConnectionPool):
    ConnectionCls = _Secure


class _Adapter(HTTPAdapter):
    """Trusts whom this machine trusts (SSL_CERT_FILE too), as the connections to mail servers do."""

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> Any:
        context = ssl.create_default_context()
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        super().init_poolmanager(*args, ssl_context=context, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {"http": _PlainPool, "https": _SecurePool}

    def send(self, request: Any, *args: Any, **kwargs: Any) -> requests.Response:
        kwargs["timeout"] = TIMEOUT_S
        answer = super().send(request, *args, **kwargs)
        if answer.status_code == 429 or answer.status_code >= 500:
            wait = answer.headers.get("retry-after", "")
            raise Busy(min(float(wait), MOST_WAIT_S) if wait.isdecimal() else None)
        return answer


def prepare(session: requests.Session) -> requests.Session:
    """Make a session (a library's own, too) use our adapter."""
    session.mount("https://", _Adapter(max_retries=0))
    session.mount("http://", _Adapter(max_retries=0))  # an endpoint on this machine, or the operator's own network
    session.max_redirects = 0
    return session


def session() -> requests.Session:
    """Return a new session."""
    return prepare(requests.Session())


@contextmanager
def reaching(provider: Provider) -> Generator[None]:
    """Turn what happens on the way to an endpoint into TransientError."""
    name = NAMES[provider]
    try:
        yield
    except Busy as error:
        raise TransientError("oauth.unavailable", provider=name, retry_after=error.retry_after) from error
    except (requests.RequestException, OSError) as error:
        raise TransientError("oauth.unavailable", provider=name) from error
