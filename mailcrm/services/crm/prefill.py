"""Guesses the name and organization of a sender, for the form that adds them as a person. Pure.

A guess is shown to be corrected, never saved unseen. Free-mail domains say nothing about an organization.
"""

from __future__ import annotations

import re

#: Domains where anybody may have an address: the providers of providers.md and the big ones beside them.
FREE_MAIL = frozenset(
    """
    gmail.com googlemail.com yahoo.com yahoo.co.jp yahoo.co.uk ymail.com rocketmail.com outlook.com outlook.jp
    hotmail.com hotmail.co.jp hotmail.co.uk live.com live.jp msn.com icloud.com me.com mac.com aol.com aim.com
    fastmail.com fastmail.fm gandi.net gmx.com gmx.de gmx.net gmx.at gmx.ch web.de t-online.de freenet.de mail.ru
    bk.ru inbox.ru list.ru yandex.ru yandex.com ya.ru rambler.ru proton.me protonmail.com pm.me tutanota.com tuta.io
    zoho.com mail.com hey.com soverin.net qq.com foxmail.com 163.com 126.com yeah.net 139.com sina.com sohu.com
    aliyun.com naver.com hanmail.net daum.net orange.fr wanadoo.fr free.fr laposte.net sfr.fr libero.it virgilio.it
    alice.it tin.it seznam.cz centrum.cz wp.pl o2.pl onet.pl interia.pl ukr.net uol.com.br bol.com.br terra.com.br
    docomo.ne.jp ezweb.ne.jp au.com softbank.ne.jp i.softbank.jp nifty.com biglobe.ne.jp so-net.ne.jp ocn.ne.jp
    comcast.net verizon.net att.net sbcglobal.net cox.net btinternet.com sky.com virginmedia.com telia.com bigpond.com
    """.split()
)
#: Second labels under which countries register names (example.co.jp): the name is one label further left.
_SECOND_LEVEL = frozenset(
    {"ac", "co", "com", "edu", "go", "gov", "gr", "ltd", "ne", "net", "nom", "or", "org", "plc", "sch"}
)
_ROBOT = re.compile(r"(no|do-?not)[-._]?reply|mailer-daemon|postmaster|notifications?|bounces?", re.IGNORECASE)


def person_name(header_name: str, address: str) -> str:
    """Return a person's name from the From header, else one made of the address; "" for a machine's address."""
    name = _tidy(header_name)
    if "@" in name and name.strip("<>").lower() == address.lower():
        name = ""
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


def organization_name(address: str) -> str:
    """Return a name made of the address's domain; "" for free mail and for what is no domain."""
    domain = address.rpartition("@")[2].lower().rstrip(".")
    labels = domain.split(".")
    if domain in FREE_MAIL or len(labels) < 2 or not all(labels) or domain.startswith("["):
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
