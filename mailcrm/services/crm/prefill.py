"""Guesses the name and organization of a sender, for the form that adds them as a person. Pure.

A guess is shown to be corrected, never saved unseen. Free-mail domains say nothing about an organization.
"""

from __future__ import annotations

import re

from mailcrm.services.crm.free_mail import is_free
from mailcrm.services.mail.parse.deception import other_address

#: Second labels under which countries register names (example.co.jp): the name is one label further left.
_SECOND_LEVEL = frozenset(
    {"ac", "co", "com", "edu", "go", "gov", "gr", "ltd", "ne", "net", "nom", "or", "org", "plc", "sch"}
)
_ROBOT = re.compile(r"(no|do-?not)[-._]?reply|mailer-daemon|postmaster|notifications?|bounces?", re.IGNORECASE)


def person_name(header_name: str, address: str) -> str:
    """Return a person's name from the From header, else one made of the address; "" for a machine's address."""
    name = _tidy(header_name)
    if "@" in name and (name.strip("<>").lower() == address.lower() or other_address(name, address)):
        name = ""  # nobody becomes a person under an address that is not theirs (threat 4)
    last, comma, first = name.partition(",")
    if comma and "," not in first and 0 < len(first.split()) <= 3 and len(last.split()) <= 3:
        name = f"{first.strip()} {last.strip()}"  # "Aaltonen, Mika": how directories write it
    if name:
        return name[:200]
    local = _one_line(address.partition("@")[0].partition("+")[0])
    if _ROBOT.fullmatch(local):
        return ""
    words = [word for word in re.split(r"[._\-]+", local) if word and not word.isdigit()]
    return " ".join(word if word[0].isupper() else word.capitalize() for word in words)[:200]


def is_robot(address: str) -> bool:
    """Whether this is a machine's address, which nobody wants among their persons."""
    return _ROBOT.fullmatch(address.partition("@")[0].partition("+")[0]) is not None


def organization_name(address: str) -> str:
    """Return a name made of the address's domain; "" for free mail and for what is no domain."""
    domain = address.rpartition("@")[2].lower().rstrip(".")
    labels = domain.split(".")
    if is_free(domain) or len(labels) < 2 or not all(labels) or domain.startswith("["):
        return ""
    place = -3 if len(labels) > 2 and labels[-2] in _SECOND_LEVEL and len(labels[-1]) == 2 else -2
    words = [word for word in _one_line(_unpuny(labels[place])).split("-") if word]
    return " ".join(word.capitalize() for word in words)[:200]


def _unpuny(label: str) -> str:
    if not label.startswith("xn--"):
        return label
    try:
        return label.encode("ascii").decode("idna")
    except UnicodeError:
        return label


def _tidy(name: str) -> str:
    """One line without quotes around it, or a trailing remark in parentheses."""
    text = _one_line(name).strip("'\"“”‘’ ")
    return re.sub(r"\s*[(\[（][^()\[\]（）]*[)\]）]$", "", text) or text


def _one_line(text: str) -> str:
    """No control characters, single spaces."""
    return " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())
