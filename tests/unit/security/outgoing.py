"""Finds whatever in our code can open a connection: imports of networking libraries, and calls that make sockets."""

from __future__ import annotations

import ast
from pathlib import Path

#: Modules of which every import counts; "a.b" also stands for "a.b.c".
LIBRARIES = (
    "aiohttp", "aiosmtpd", "boto3", "dns", "exchangelib", "ftplib", "google.auth", "google_auth_oauthlib", "http.client",
    "httpcore", "httpx", "huey", "imapclient", "imaplib", "msal", "multiprocessing.connection", "nntplib", "paramiko",
    "poplib", "psycopg", "pycurl", "redis", "requests", "smtplib", "socketserver", "telnetlib", "urllib.request",
    "urllib3", "websocket", "websockets", "xmlrpc",
)  # fmt: skip
#: Functions and methods whose name alone says that they open or resolve, on whatever they are called.
CALLS = frozenset(
    (
        "create_connection", "create_server", "create_datagram_endpoint", "create_unix_connection", "getaddrinfo",
        "gethostbyname", "gethostbyname_ex", "getfqdn", "open_connection", "open_unix_connection", "sock_connect",
        "socketpair", "start_server", "urlopen", "urlretrieve", "connect_ex", "HTTPConnection", "HTTPSConnection",
    )
)  # fmt: skip
#: Programs that speak to the network for whoever starts them.
PROGRAMS = frozenset(("curl", "wget", "nc", "ssh", "openssl", "dig", "nslookup", "ping"))


def openers(source: str) -> frozenset[str]:
    """Return what in a module can open a connection, by name."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {library for alias in node.names if (library := _library(alias.name))}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            whole = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= {library for name in (node.module, *whole) if (library := _library(name))}
            if node.module == "socket":
                found |= whole
        elif isinstance(node, ast.Call):
            found |= _of_call(node)
        elif isinstance(node, ast.ClassDef):
            found |= {
                f"class {base}" for base in map(_dotted, node.bases) if base in ("socket.socket", "ssl.SSLSocket")
            }
    return frozenset(found)


def all_openers(package: Path) -> dict[str, frozenset[str]]:
    """Return them for each module of a package that has some, by its path."""
    found = {path: openers(path.read_text(encoding="utf-8")) for path in sorted(package.rglob("*.py"))}
    return {str(path.relative_to(package)): names for path, names in found.items() if names}


def _of_call(node: ast.Call) -> set[str]:
    name = _dotted(node.func)
    last = name.rpartition(".")[2]
    if name == "socket.socket" or last in CALLS:
        return {last if last in CALLS else name}
    if last in ("import_module", "__import__") and node.args and isinstance(node.args[0], ast.Constant):
        return {_library(str(node.args[0].value))} - {""}
    if name.startswith(("subprocess.", "os.")) and node.args:
        words = [each.value for each in ast.walk(node.args[0]) if isinstance(each, ast.Constant)]
        return {f"program {word}" for word in words[:1] if isinstance(word, str) and word.split(" ")[0] in PROGRAMS}
    return set()


def _library(name: str) -> str:
    return next((each for each in LIBRARIES if name == each or name.startswith(f"{each}.")), "")


def _dotted(node: ast.AST) -> str:
    if isinstance(node, ast.Attribute):
        return f"{_dotted(node.value)}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else ""
