"""Who fetched a pixel or a link, as far as that can be told: facts in, a class with its reasons out. Pure, versioned.

Classes: "person" (looks like somebody's mail program or browser), "unknown" (a proxy that fetches when somebody opens,
or nothing to go by; counted), "proxy" (fetched for the reader's privacy or without anybody opening), "scanner" (a
security gateway, link preview or other program), "own" (the sender, or a user of this workspace).
Every event has a class and is kept; whether it counts is `Verdict.counted`. Nothing here asserts "human" (product.md
B03). Timing alone is weak and used only in the first seconds. What only several fetches tell comes in as a fact
(together.py). Change a rule, and RULES_VERSION goes up: `record.classify_again` looks at what is stored once more.
"""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass
from typing import Literal

Action = Literal["open", "click"]

RULES_VERSION = 2
COUNTED = frozenset({"person", "unknown"})

INSTANT_OPEN_S = 2.5  # a proxy's fetch this soon was not made by an opening (warmbly, Mautic: 2 s)
INSTANT_CLICK_S = 15.0  # delivery, opening, reading, clicking; gateways follow links at once
BURST_S = 10.0  # a gateway sweeps the links of a message together
BURST_LINKS = 3  # distinct links within BURST_S; two may be a person's double interest
PRECHECK_S = 1.0  # the same link from another network this shortly after: the first was the gateway's own check
MAX_AGENT = 1000  # characters looked at

_OPENING_PROXY = re.compile(r"GoogleImageProxy|YahooMailProxy|SeznamEmailProxy", re.IGNORECASE)
#: Gmail's fetch at delivery comes under this frozen, impossible agent (two "Mozilla/5.0").
_GMAIL_PREFETCH = re.compile(r"Chrome/42\.0\.2311\.135 Safari/537\.36 Edge/12\.246 Mozilla/5\.0$")
_APPLE_PREFETCH = re.compile(r"Mozilla/5\.0")  # the whole agent, nothing else
_OWN_PROXY = re.compile(r"mailcrm-image-proxy\b", re.IGNORECASE)
#: Words that only programs have in their name. "CUBOT" is a telephone; "CamScanner" an app with a browser in it.
_MACHINE = re.compile(
    r"(?<!cu)bots?(?![a-z_])|(?<!cu)bot[/-]|crawl|spider|slurp|scrap|(?<!cam)scanner|preview|prefetch|monitor|archiv|"
    r"checker|validat|analyz|indexer|sentinel|barracuda|mimecast|proofpoint|safelinks|imgproxy|expander|facebookexternal|"
    r"whatsapp/|telegrambot|skypeuri|slackbot|slack-img|embed|headless|phantomjs|selenium|puppeteer|playwright|"
    r"lighthouse|pingdom|\bcurl|wget|python|httpx|aiohttp|urllib|java[/)]|okhttp|go-http|golang|node-fetch|axios|undici|"
    r"\bruby|perl|guzzle|postman|insomnia|winhttp|httpclient|http[-_ ]client|google-|favicon|compatible; [a-z .-]*\.com|"
    r"synthetics|inspector|\bagent\b(?!s)|watcher|verif(?:y|ier)/|[(; ]\+|@[a-z0-9-]+\.[a-z]{2,}|\bat\)[a-z]|mailto:|\w\.com\b|"
    r"\+https?://|https?://(?![^ ]*(?:ecosia|instagram))",
    re.IGNORECASE,
)
#: What browsers and mail programs are built on. An agent without any of these is a program's own.
_ENGINE = re.compile(
    r"AppleWebKit|Gecko/|Trident/|MSIE \d|Presto/|KHTML|Opera[ /]|Dalvik|CFNetwork|Outlook|Thunderbird|Lynx/|Links |w3m/|"
    r"Mosaic|iPhone|iPad|Android|Nokia|SonyEricsson|BlackBerry|MIDP|Profile/|UP\.Browser|DoCoMo|NetFront|Netscape|iCab|"
    r"Elinks|Mozilla/[34]\.\d+ ?\[|Mail|Darwin|Symbian|\bLG|SAMSUNG|Doris|PlayStation|Nintendo|Konqueror|amaya|Dillo|"
    r"NetSurf|Microsoft Office|ms-office|Amiga|Voyager|Windows Phone|NetPositive|Sonos|Roku|UCBrowser|GoogleApp|"
    r"Streaming Player|QuickTime|Charon|Fireweb|MozacFetch|OffByOne|Galaxy|IBrowse|ELinks|Emacs-W3|Cyberdog|Uzbl|Midori|HotJava|Sextatnt|Bunjalloo|Avant|Arora|WebTV",
    re.IGNORECASE,
)
#: A desktop browser's agent ends with Safari/… or Firefox/…; what else stands behind is a browser's name, or a tool's.
_TAIL = re.compile(r"(?:Safari|Firefox)/[\d.]+;? +(?P<tail>\S.*)$")
_MODERN = re.compile(r"(?:Chrome|Firefox)/(\d{1,4})")
MODERN = 58  # major version; the many small browsers built on older ones wrote what they liked
_TAIL_OF_BROWSER = re.compile(
    r"(?:(?:Edg[A-Z]*|Edge|OPR|OPT|Vivaldi|YaBrowser|Yowser|Whale|Avast|AVG|CCleaner|Norton|Avira|Herring|Agency|LikeWise|Unique|"
    r"GLS|Config|Viewer|Brave|Sidekick|DuckDuckGo|Ddg|Puffin|Iron|Iridium|Epic|Maxthon|QQBrowser|MetaSr|LBBROWSER|SE|TheWorld|"
    r"UBrowser|UCBrowser|Sogou|360\w*|SLBrowser|Quark|Seamonkey|SeaMonkey|Waterfox|PaleMoon|Goanna|IceCat|Iceweasel|Cliqz|"
    r"Outlook|Thunderbird|Electron|Slack\w*|Teams|Discord|WindowsStore|Sonic|Ubuntu|Fedora|Debian|Mobile|Version|"
    r"Chromium|Chrome|Safari|Ecosia|CamScanner|Kiwi|Silk|SamsungBrowser|Ghostery|Falkon|IceDragon|XiaoMi|Core|Sleipnir|Tesla|Viber|Flock|MicroMessenger|QtWebEngine|[A-Z]{2,5})[/ ;.:)(]|\()",
)
_PROGRAM = re.compile(r"Mozilla/\d|Opera/\d|Outlook|Thunderbird|Dalvik|CFNetwork|Mail", re.IGNORECASE)


#: Every code that `Verdict.reasons` may hold.
REASONS = frozenset(
    [
        "own_view", "own_address", "head", "browser_prefetch", "asked_not_to", "hidden_link", "no_agent", "agent",
        "apple_prefetch", "gmail_prefetch", "gmail_proxy", "yahoo_proxy", "mail_proxy", "before_delivery", "instant",
        "burst", "precheck", "agent_of_person", "agent_unknown", "clicked_later", "answered_later",
    ]
)  # fmt: skip


@dataclass(frozen=True)
class Facts:
    """What is known of one fetch.

    `seconds_since_sent` is None while unknown, negative before the message was handed over. `burst_links`: distinct
    links of the message fetched within BURST_S around this one, itself included. `rechecked`: the same link was
    fetched from another network within PRECHECK_S after. `own`: "view" (a session or a page of ours), "address" (the
    sender's), "" otherwise. `followed_by`: "click" or "answer" of a person, after this open.
    """

    action: Action
    user_agent: str
    method: str = "GET"
    seconds_since_sent: float | None = None
    burst_links: int = 0
    links: int = 0
    rechecked: bool = False
    own: str | bool = ""
    prefetch: bool = False
    opted_out: bool = False
    hidden_link: bool = False
    followed_by: str = ""


@dataclass(frozen=True)
class Verdict:
    """The class, and the codes of the reasons, the decisive one first."""

    kind: str
    reasons: tuple[str, ...]

    @property
    def counted(self) -> bool:
        """True when it may be a person's and is in the figures."""
        return self.kind in COUNTED


def classify(facts: Facts) -> Verdict:
    """Judge one fetch."""
    agent = facts.user_agent[:MAX_AGENT].strip()
    if facts.own or _OWN_PROXY.search(agent):
        return Verdict("own", ("own_address" if facts.own == "address" else "own_view",))
    if facts.method != "GET":
        return Verdict("scanner", ("head",))
    if facts.prefetch:
        return Verdict("scanner", ("browser_prefetch",))
    if facts.opted_out and facts.action == "open":
        return Verdict("proxy", ("asked_not_to",))
    if facts.hidden_link:
        return Verdict("scanner", ("hidden_link",))
    if not agent:
        return Verdict("scanner", ("no_agent",))
    return _open(agent, facts) if facts.action == "open" else _click(agent, facts)


def _open(agent: str, facts: Facts) -> Verdict:
    if _APPLE_PREFETCH.fullmatch(agent):
        return Verdict("proxy", ("apple_prefetch",))
    if _GMAIL_PREFETCH.search(agent):
        return Verdict("proxy", ("gmail_prefetch",))
    instant = facts.seconds_since_sent is not None and facts.seconds_since_sent < INSTANT_OPEN_S
    if match := _OPENING_PROXY.search(agent):
        name = match[0].lower()
        proxy = "gmail_proxy" if name.startswith("google") else "yahoo_proxy" if name.startswith("y") else "mail_proxy"
        return Verdict("proxy", ("instant", proxy)) if instant else _sure(proxy, facts)
    if _is_machine(agent):
        return Verdict("scanner", ("agent",))
    if facts.seconds_since_sent is not None and facts.seconds_since_sent < 0:
        return Verdict("scanner", ("before_delivery",))
    if instant:  # a gateway, or a mail program that lay open: timing alone does not tell, so it is counted and said
        return _sure("instant", facts)
    return Verdict("person", ("agent_of_person",)) if _PROGRAM.search(agent) else _sure("agent_unknown", facts)


def _sure(reason: str, facts: Facts) -> Verdict:
    """An open of which only what came after tells that somebody was there (B05)."""
    later = {"click": "clicked_later", "answer": "answered_later"}.get(facts.followed_by)
    return Verdict("person", (later, reason)) if later else Verdict("unknown", (reason,))


def _click(agent: str, facts: Facts) -> Verdict:
    if _is_machine(agent) or _APPLE_PREFETCH.fullmatch(agent):
        return Verdict("scanner", ("agent",))
    if facts.burst_links >= BURST_LINKS:
        return Verdict("scanner", ("burst",))
    if facts.rechecked:
        return Verdict("scanner", ("precheck",))
    if facts.seconds_since_sent is not None and facts.seconds_since_sent < 0:
        return Verdict("scanner", ("before_delivery",))
    if facts.seconds_since_sent is not None and facts.seconds_since_sent < INSTANT_CLICK_S:
        return Verdict("scanner", ("instant",))
    return Verdict("person", ("agent_of_person",)) if _PROGRAM.search(agent) else Verdict("unknown", ("agent_unknown",))


@functools.lru_cache(maxsize=4096)  # the same few programs ask again and again
def _is_machine(agent: str) -> bool:
    if _MACHINE.search(agent) or not _ENGINE.search(agent):
        return True
    version = _MODERN.search(agent)
    if version is None or int(version[1]) < MODERN or "Mobile" in agent or "Android" in agent:
        return False  # old browsers and apps on telephones put names of their own there
    found = _TAIL.search(agent)
    return found is not None and not _TAIL_OF_BROWSER.match(found["tail"] + " ")


_NAMES = (
    (re.compile(r"GoogleImageProxy"), "Gmail"),
    (re.compile(r"YahooMailProxy"), "Yahoo Mail"),
    (re.compile(r"SeznamEmailProxy"), "Seznam"),
    (re.compile(r"Microsoft Outlook|Outlook/|ms-office"), "Outlook"),
    (re.compile(r"Thunderbird"), "Thunderbird"),
    (re.compile(r"iPhone|iPad.*AppleWebKit(?!.*Safari)"), "iPhone"),
    (re.compile(r"Edg[eA]?/"), "Edge"),
    (re.compile(r"Firefox/"), "Firefox"),
    (re.compile(r"Chrome/"), "Chrome"),
    (re.compile(r"Macintosh.*AppleWebKit(?!.*Safari)"), "Apple Mail"),
    (re.compile(r"Safari/"), "Safari"),
)


def agent_name(agent: str) -> str:
    """Return a short name of the program for the hover card; '' when it tells nothing."""
    return next((name for pattern, name in _NAMES if pattern.search(agent[:MAX_AGENT])), "")
