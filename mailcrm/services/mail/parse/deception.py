"""Tells names and hosts that pretend to be others (security.md threat 4). Pure; decides nothing about the mail itself.

A display name that holds another address, or marks that turn its direction round; a host whose label mixes scripts, or
is written in letters of one script that look like those of another. Languages written in one script are no deception:
only mixtures (Unicode TR 39, "highly restrictive") and labels made wholly of look-alikes of Latin letters are.
"""

from __future__ import annotations

import re
import unicodedata
from urllib.parse import urlsplit

_UNSEEN = re.compile(
    "[\u00ad\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164\ufeff\uffa0]"
)
_ADDRESS = re.compile(r"[^\s@<>()\[\],;:\"']{1,64}@[^\s@<>()\[\],;:\"'/]{1,190}\.[^\s@<>()\[\],;:\"'./]{2,24}")
_HOST = re.compile(
    r"(?:[a-z][a-z0-9+.-]*://)?((?:[^\s/@:?#.]{1,63}\.)+[^\s/@:?#.\d][^\s/@:?#.]{1,23})(?=[/:?#]|$)", re.IGNORECASE
)
#: Letters of Cyrillic and Greek that look like Latin ones in usual fonts.
_LOOKALIKES = frozenset("асԁеһіјӏорԛѕԝхуүѵʏΑΒΕΖΗΙΚΜΝΟΡΤΥΧανορυιАВЕКМНОРСТХУІЈЅԌѴькг")
_EAST_ASIAN = (
    frozenset(("LATIN", "HAN", "HIRAGANA", "KATAKANA")),
    frozenset(("LATIN", "HAN", "BOPOMOFO")),
    frozenset(("LATIN", "HAN", "HANGUL")),
)


def plain_name(name: str) -> str:
    """Return a name without marks that turn its direction round or that nobody sees."""
    return " ".join(_UNSEEN.sub("", name).split())


def other_address(name: str, address: str) -> str:
    """Return the address that a display name holds when it is not the sender's own, "" for none."""
    text = unicodedata.normalize("NFKC", plain_name(name)).replace("\u3002", ".")  # ＠ and ． are spelt @ and .
    for found in _ADDRESS.findall(text):
        if found.lower() != address.lower():
            return found
    return ""


def shown_name(name: str, address: str) -> str:
    """Return what stands for a sender: the name, or the true address where the name pretends to be another."""
    plain = plain_name(name)
    return address if not plain or other_address(name, address) else plain


def is_lookalike(host: str) -> bool:
    """Whether a host, in Unicode or as xn--, has a label that is written to be taken for another."""
    return any(_deceives(_unicode(label)) for label in host.lower().rstrip(".").split("."))


def host_of(address: str) -> str:
    """Return the domain of an address, lower case."""
    return address.rpartition("@")[2].lower()


def true_target(text: str, url: str) -> str:
    """Return the host that a link really leads to, when its text names another one or the host is a look-alike; else ""."""
    try:
        host = (urlsplit(url).hostname or "").lower().rstrip(".")
    except ValueError:
        return ""
    if not host:
        return ""
    if is_lookalike(host):
        return host
    said = _HOST.match(unicodedata.normalize("NFKC", plain_name(text)))
    if said is None:
        return ""
    named = said[1].lower().rstrip(".")
    return "" if _same_site(named, host) else host


def _same_site(named: str, host: str) -> bool:
    named, host = _ascii(named), _ascii(host)
    return named == host or host.endswith(f".{named.removeprefix('www.')}") or named.endswith(f".{host.removeprefix('www.')}") or named.removeprefix("www.") == host.removeprefix("www.")  # fmt: skip


def _deceives(label: str) -> bool:
    if label.isascii():
        return False
    letters = [char for char in label if char.isalpha()]
    scripts = {_script(char) for char in letters} - {""}
    if len(scripts) > 1 and not any(scripts <= together for together in _EAST_ASIAN):
        return True
    return scripts <= {"CYRILLIC", "GREEK"} and bool(letters) and all(char in _LOOKALIKES for char in letters)


def _script(char: str) -> str:
    name = unicodedata.name(char, "").split(" ")[0]
    return "HAN" if name == "CJK" else "LATIN" if name == "FULLWIDTH" else "" if name == "MODIFIER" else name


def _unicode(label: str) -> str:
    if not label.startswith("xn--"):
        return label
    try:
        return label[4:].encode("ascii").decode("punycode")
    except (UnicodeError, ValueError):
        return label


def _ascii(host: str) -> str:
    try:
        return host if host.isascii() else host.encode("idna").decode("ascii")
    except UnicodeError:
        return host
