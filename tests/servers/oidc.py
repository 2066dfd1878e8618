"""A real OpenID Connect provider (npm's oidc-provider) on loopback, in the part of Google and of Microsoft.

Installed by npm into a cache folder when it is first needed (Node comes with the virtual environment); pinned by
`oidc_provider/package-lock.json`. `walk` is a person's browser: it signs in, consents and returns where they end up.
`control` makes it slow, broken or forgetful; `revoke` is the page of connected apps.
"""

from __future__ import annotations

import fcntl
import functools
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

import httpx

from mailcrm.build import build_environment, node_folder
from mailcrm.config import reset
from mailcrm.services.mail.providers.tls import shared_context
from tests.servers.certificates import Issuer
from tests.servers.dovecot import free_port, is_open

SOURCES = Path(__file__).with_name("oidc_provider")
CLIENT_ID, CLIENT_SECRET = "mailcrm-app", "a client secret of the tests, 32 characters"
PUBLIC_URL = "http://localhost:8000"


def installed() -> Path:
    """Return the folder with the provider's modules, installed once for each lock file."""
    lock = (SOURCES / "package-lock.json").read_bytes()
    root = Path(os.environ.get("MAILCRM_TEST_CACHE") or Path.home() / ".cache" / "mailcrm-tests")
    root.mkdir(parents=True, exist_ok=True)
    folder = root / f"oidc-provider-{hashlib.sha256(lock).hexdigest()[:16]}"
    with (root / "oidc-provider.lock").open("w") as guard:
        fcntl.flock(guard, fcntl.LOCK_EX)
        if (folder / "done").exists():
            return folder
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        for name in ("package.json", "package-lock.json"):
            shutil.copy(SOURCES / name, folder / name)
        made = subprocess.run(
            [str(Path(sys.executable).parent / "npm"), "ci", "--omit=dev", "--ignore-scripts"],
            cwd=folder, env=build_environment(), capture_output=True, text=True, check=False, timeout=300,
        )  # fmt: skip
        if made.returncode:
            raise RuntimeError(f"oidc-provider can't be installed: {made.stderr[-2000:]}")
        (folder / "done").touch()
    return folder


class OidcProvider:
    """The provider, and the settings that make mailcrm take it for Google and Microsoft."""

    def __init__(self, redirect_to: str = PUBLIC_URL) -> None:
        self.home = Path(tempfile.mkdtemp(prefix="mailcrm-oidc-"))
        self.home.chmod(0o755)  # Dovecot's own user reads the issuer's certificate
        self.issuer = Issuer(self.home)
        self.port = free_port()
        self.url = f"https://localhost:{self.port}"
        self.public_url = redirect_to
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        """Install if need be, and start; returns when it listens."""
        modules = installed()
        certificate, key = self.issuer.issue("localhost")
        client = {
            "client_id": CLIENT_ID,
            "client_secret": CLIENT_SECRET,
            "grant_types": ["authorization_code", "refresh_token"],
            "redirect_uris": [f"{self.public_url}/oauth/{name}/callback" for name in ("google", "microsoft")],
            "token_endpoint_auth_method": "client_secret_post",
        }
        asker = {"client_id": "dovecot", "client_secret": "introspection", "redirect_uris": [], "response_types": []}
        given = {
            "port": self.port, "certificate": str(certificate), "key": str(key), "modules": str(modules),
            "clients": [client, asker | {"grant_types": []}],
        }  # fmt: skip
        self._process = subprocess.Popen(
            [str(node_folder() / "node"), str(SOURCES / "provider.mjs"), json.dumps(given)],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=(self.home / "log").open("w"), text=True,
        )  # fmt: skip
        deadline = time.monotonic() + 30
        while not is_open(self.port):
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"oidc-provider did not start: {self.log()}")
            time.sleep(0.05)

    def stop(self) -> None:
        """End it by its pid and remove its folder."""
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(10)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        shutil.rmtree(self.home, ignore_errors=True)

    def log(self) -> str:
        """Return what it wrote on standard error."""
        return (self.home / "log").read_text()

    def settings(self, imap: str = "", smtp: str = "") -> dict[str, str]:
        """Return the environment that makes this provider Google and Microsoft: only endpoint URLs differ."""
        env = {"SSL_CERT_FILE": str(self.issuer.file), "MAILCRM_PUBLIC_URL": self.public_url}
        for name in ("GOOGLE", "MICROSOFT"):
            env[f"MAILCRM_{name}_CLIENT_ID"], env[f"MAILCRM_{name}_CLIENT_SECRET"] = CLIENT_ID, CLIENT_SECRET
            env[f"MAILCRM_OAUTH_{name}_AUTHORIZE_URL"] = f"{self.url}/auth"
            env[f"MAILCRM_OAUTH_{name}_TOKEN_URL"] = f"{self.url}/token"
            env |= {f"MAILCRM_OAUTH_{name}_IMAP_URL": imap} if imap else {}
            env |= {f"MAILCRM_OAUTH_{name}_SMTP_URL": smtp} if smtp else {}
        return env | {"MAILCRM_OAUTH_GOOGLE_REVOKE_URL": f"{self.url}/token/revocation"}

    @contextmanager
    def in_charge(self, imap: str = "", smtp: str = "", **other: str) -> Iterator[None]:
        """Let this process take it for Google and Microsoft; `other` settings are given beside, or in place."""
        given = self.settings(imap, smtp) | other
        before = {name: os.environ.get(name) for name in given}
        os.environ.update(given)
        reset()
        shared_context.cache_clear()
        try:
            yield
        finally:
            for name, value in before.items():
                if value is None:
                    os.environ.pop(name, None)
                else:
                    os.environ[name] = value
            reset()
            shared_context.cache_clear()

    def client(self) -> httpx.Client:
        """Return an HTTP client that trusts this server."""
        return httpx.Client(verify=self.issuer.client_context(), timeout=20)

    def control(self, *, fresh: bool = False, **settings: Any) -> dict[str, Any]:
        """Change how it behaves (see provider.mjs); `fresh` first forgets earlier changes. Returns what it has seen."""
        answer = self._asking.post(f"{self.url}/control", json={"reset": fresh, "set": settings})
        found: dict[str, Any] = answer.json()["seen"]
        return found

    def is_active(self, token: str) -> bool:
        """Return what a mail server is told about a token (RFC 7662)."""
        url = f"{self.url}/token/introspection"
        answer = self._asking.post(url, data={"token": token}, auth=("dovecot", "introspection"))
        return bool(answer.json()["active"])

    @functools.cached_property
    def _asking(self) -> httpx.Client:
        return self.client()

    def revoke(self, account: str) -> None:
        """Take every grant of an account back, as its owner does on the provider's page."""
        self._asking.post(f"{self.url}/control", json={"revokeAccount": account})

    def walk(self, url: str, account: str, *, decline: bool = False) -> dict[str, str]:
        """Go where mailcrm sends a browser, sign in as `account`, consent; return the query that comes back to us."""
        with self.client() as browser:
            answer = browser.get(url)
            for _ in range(12):
                place = answer.headers.get("location", "")
                if place.startswith(self.public_url):
                    return dict(httpx.QueryParams(urlsplit(place).query))
                if place:
                    answer = browser.get(urljoin(str(answer.url), place))
                    continue
                asked = re.search(r'name="prompt" value="(\w+)"', answer.text)
                if asked is None:
                    raise AssertionError(f"the provider shows {answer.status_code}: {answer.text[:1500]}")
                action = re.search(r'action="([^"]+)"', answer.text)
                target = urljoin(str(answer.url), action[1] if action else "")
                if decline and asked[1] != "login":
                    answer = browser.get(f"{target}/abort")
                    continue
                answer = browser.post(target, data={"prompt": asked[1], "login": account, "password": "any"})
        raise AssertionError("the provider goes round in circles")
