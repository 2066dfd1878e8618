"""What a browser calls itself, in two words a person recognises: "Firefox on Linux". Pure.

For the list of one's own sessions: a hint, never a proof. Says "" where it does not know.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass

#: The first that matches: nearly all browsers name Chrome and Safari too, for old pages' sake.
_BROWSERS = (
    ("Edge", r"\bEdg(?:e|A|iOS)?/"),
    ("Opera", r"\bOPR/|\bOpera\b"),
    ("Samsung Internet", r"\bSamsungBrowser/"),
    ("Vivaldi", r"\bVivaldi/"),
    ("Firefox", r"\b(?:Firefox|FxiOS)/"),
    ("Chrome", r"\b(?:Chrome|Chromium|CriOS|HeadlessChrome)/"),
    ("Safari", r"\bSafari/"),
)
_SYSTEMS = (
    ("iPhone", r"\biPhone\b"),
    ("iPad", r"\biPad\b"),
    ("Android", r"\bAndroid\b"),
    ("Windows", r"\bWindows\b"),
    ("ChromeOS", r"\bCrOS\b"),
    ("macOS", r"\bMac OS X\b|\bMacintosh\b"),
    ("Linux", r"\bLinux\b|\bX11\b"),
)


@dataclass(frozen=True)
class Device:
    """The family of a browser and of its system; "" for what is not known."""

    browser: str
    system: str
    mobile: bool


def device(user_agent: str) -> Device:
    """Read a User-Agent header."""
    browser = next((name for name, pattern in _BROWSERS if re.search(pattern, user_agent)), "")
    system = next((name for name, pattern in _SYSTEMS if re.search(pattern, user_agent)), "")
    return Device(browser, system, system in ("iPhone", "iPad") or bool(re.search(r"\bMobi", user_agent)))


def coarse_network(address: str) -> str:
    """Return the network of an address, of 24 bits or 48 (IPv6); "local" for this machine, "" for what is no address."""
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return ""
    if isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped is not None:
        ip = ip.ipv4_mapped
    if ip.is_loopback:
        return "local"
    return str(ipaddress.ip_network((int(ip), 24 if ip.version == 4 else 48), strict=False))
