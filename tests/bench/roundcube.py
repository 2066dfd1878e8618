"""Roundcube as Debian packages it (roundcube-core, roundcube-sqlite3), served by PHP for the bench, and its steps.

It is never installed from here unless the bench is asked to (`--roundcube`): then apt-get does it. Its settings, database
and files lie in the bench's folder; what Debian keeps in /etc is not touched. PHP's own server runs with four workers and
its compiler's cache, which is what php-fpm would give.
"""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Self

from playwright.sync_api import Page

from tests.bench.clicks import quoted, timed
from tests.servers.dovecot import DovecotServer, free_port, is_open

PACKAGES = ("roundcube-core", "roundcube-sqlite3", "php-cli", "php-sqlite3", "php-mbstring", "php-intl", "php-xml")
CODE = Path("/usr/share/roundcube")
PUBLIC = Path("/var/lib/roundcube/public_html")
SETTINGS = Path("/etc/roundcube")
START_S = 20
_ROWS = "[...document.querySelectorAll('#messagelist tbody tr.message')]"
_IDS = f"{_ROWS}.map((row) => row.id).join()"
#: Marks what the list shows now; it shows something else when no row has the mark.
_MARK = f"{_ROWS}.forEach((row) => {{ row.dataset.before = '1'; }})"
_OTHERS = f"{_ROWS}.length > 0 && !{_ROWS}.some((row) => row.dataset.before)"
#: Nothing is under way: its own sign for "loading" is gone.
_STILL = "!document.body.classList.contains('loading') && !rcmail.busy"


def missing() -> str:
    """Return what is not there to run it, "" when all is."""
    if shutil.which("php") is None:
        return "php"
    return "" if (CODE / "index.php").exists() and (PUBLIC / "index.php").exists() else "roundcube-core"


def install() -> None:
    """Install it with apt-get, as its user asked."""
    subprocess.run(["apt-get", "update", "-q"], check=True)
    subprocess.run(["apt-get", "install", "-y", "-q", "--no-install-recommends", *PACKAGES], check=True)


class Roundcube:
    """A Roundcube of its own that reads one Dovecot."""

    def __init__(self, dovecot: DovecotServer, home: Path) -> None:
        self.home, self.port = home, free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        for name in ("config", "temp", "logs"):
            (home / name).mkdir(parents=True)
        for name in ("defaults.inc.php", "mimetypes.php"):
            shutil.copy(SETTINGS / name, home / "config")
        with sqlite3.connect(home / "roundcube.sqlite3") as database:
            database.executescript((CODE / "SQL" / "sqlite.initial.sql").read_text())
        database.close()
        (home / "config" / "config.inc.php").write_text(
            f"""<?php
$config = [];
$config['db_dsnw'] = 'sqlite:///{home}/roundcube.sqlite3?mode=0640';
$config['imap_host'] = 'localhost:{dovecot.plain_port}';
$config['smtp_host'] = 'localhost:25';
$config['des_key'] = 'only-for-one-benchmark-1';
$config['temp_dir'] = '{home}/temp';
$config['log_dir'] = '{home}/logs';
$config['plugins'] = [];
$config['skin'] = 'elastic';
$config['language'] = 'en_US';
$config['mail_pagesize'] = 50;
$config['layout'] = 'widescreen';
$config['check_all_folders'] = false;
$config['enable_installer'] = false;
"""
        )

    def __enter__(self) -> Self:
        settings = ["opcache.enable=1", "opcache.enable_cli=1", "opcache.validate_timestamps=0", "memory_limit=512M"]
        self.process = subprocess.Popen(
            ["php", *(part for each in settings for part in ("-d", each)), "-S", f"127.0.0.1:{self.port}", "-t", PUBLIC],
            env=os.environ | {"ROUNDCUBE_CONFIG_DIR": str(self.home / "config"), "PHP_CLI_SERVER_WORKERS": "4"},
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
        ends = time.monotonic() + START_S
        while not is_open(self.port):
            if time.monotonic() > ends or self.process.poll() is not None:
                raise RuntimeError("PHP's server did not start")
            time.sleep(0.05)
        try:
            urllib.request.urlopen(self.url, timeout=20).close()
        except urllib.error.URLError as error:
            self.__exit__()
            raise RuntimeError(f"Roundcube does not answer: {error}") from error
        return self

    def __exit__(self, *_exc: object) -> None:
        os.killpg(self.process.pid, signal.SIGTERM)  # it and its workers, which are a group of their own
        self.process.wait(20)


class Reader:
    """Somebody who reads mail in it."""

    def __init__(self, page: Page, url: str, user: str, password: str) -> None:
        self.page = page
        page.goto(url)
        page.fill("#rcmloginuser", user)
        page.fill("#rcmloginpwd", password)
        page.click("#rcmloginsubmit")
        page.wait_for_function(f"{_ROWS}.length > 0 && {_STILL}", timeout=60_000)
        self.first = str(page.evaluate(_IDS))

    def inbox(self) -> float:
        """Show the first page again."""
        self.page.evaluate(_MARK)
        return timed(self.page, "click", lambda: self.page.click("#mailboxlist li.inbox > a"), _OTHERS)

    def next_page(self) -> float:
        """Show the next page of 50."""
        self.page.evaluate(_MARK)
        return timed(self.page, "click", lambda: self.page.click("#layout-list a.nextpage"), _OTHERS)

    def open(self, at: int) -> float:
        """Open a message beside the list, until its text is there."""
        row = self.page.locator("#messagelist tbody tr.message").nth(at)
        uid = self.page.evaluate("(row) => row.uid", row.element_handle())
        frame = "document.getElementById('messagecontframe')"
        until = (
            f"{frame}.contentWindow.location.search.includes('_uid={uid}&') && "
            f"{frame}.contentDocument.readyState === 'complete' && {frame}.contentDocument.querySelector('#messagebody')"
        )
        return timed(self.page, "click", row.locator(".subject").first.click, until)

    def search(self, words: str, *, whole: bool) -> float:
        """Search the subject and sender, or all that was written."""
        self.page.evaluate(
            "(whole) => { rcmail.env.search_scope = 'base'; rcmail.set_searchmods(whole ? {text: 1} : {subject: 1, from: 1}); }",
            whole,
        )
        self.page.evaluate(_MARK)
        self.page.fill("#mailsearchform", words)
        took = timed(self.page, "keydown", lambda: self.page.press("#mailsearchform", "Enter"), _OTHERS)
        self.page.evaluate("rcmail.command('reset-search')")
        self.page.wait_for_function(f"{_IDS} === {quoted(self.first)}", timeout=60_000)
        return took
