"""The routes under attack: headers, cookies, origins, sign-in guessing, uploads, bodies, redirects (security.md 13, 14)."""

from __future__ import annotations

import http.client
import re
import socket
from urllib.parse import urlsplit

import pytest
from sqlmodel import select

from mailcrm.models import LoginAttempt
from mailcrm.services.auth import throttle
from mailcrm.services.db import reading
from tests.integration.security.conftest import PASSWORD, Person, Served

PAGES = ("/", "/inbox", "/login", "/setup", "/thread/1", "/deal/1", "/settings/email-sync", "/nothing/here", "/404")
PLAIN = (
    "/healthz",
    "/readyz",
    "/metrics",
    "/app.css",
    "/t/o/x.gif",
    "/t/c/x",
    "/m/1/body",
    "/api/v1/me",
    "/api/v1/docs",
)
POSTS = ("/auth/login", "/auth/logout", "/auth/setup", "/auth/demo", "/auth/invite", "/imports")


@pytest.mark.parametrize("path", PAGES)
def test_pages_carry_the_policy(served: Served, path: str) -> None:
    """reflex.md §2: what a page may load and who may frame it; nobody may sniff types or see addresses."""
    answer = served.client.get(path)
    parts = [part.strip().partition(" ") for part in answer.headers["content-security-policy"].split(";")]
    policy = {name: rest for name, _, rest in parts}
    assert policy["object-src"] == "'none'"
    assert policy["base-uri"] == "'self'"
    assert policy["frame-ancestors"] == "'none'"
    assert policy["form-action"] == "'self'"
    assert policy["default-src"] == "'self'"
    assert "*" not in answer.headers["content-security-policy"]
    assert "http:" not in policy["script-src"]
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] in ("same-origin", "no-referrer", "strict-origin")


@pytest.mark.parametrize("path", PLAIN)
def test_routes_carry_a_policy_and_no_cookie(served: Served, path: str) -> None:
    """Nothing is served without nosniff and a policy, and nothing but sign-in sets cookies."""
    answer = served.client.get(path)
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["content-security-policy"]
    assert "set-cookie" not in answer.headers
    assert "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://localhost.evil.example"])
def test_other_sites_read_nothing(served: Served, aino: Person, origin: str) -> None:
    """F16: a credentialed fetch from another site is not told that it may read the answer."""
    for path in ("/m/1/body", "/api/v1/me", "/", "/_event/?EIO=4&transport=polling"):
        for method in ("GET", "OPTIONS"):
            asked = {"Origin": origin, "Cookie": aino.cookie, "Access-Control-Request-Method": "GET"}
            answer = served.client.request(method, path, headers=asked)
            assert answer.headers.get("access-control-allow-origin") not in (origin, "*")


@pytest.mark.parametrize("path", POSTS)
@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "null", "Sec-Fetch-Site": "cross-site"},
        {"Referer": "http://localhost/"},
    ],
)
def test_posts_of_other_sites_change_nothing(served: Served, aino: Person, path: str, headers: dict[str, str]) -> None:
    """Login CSRF and logout CSRF included; nothing sets a cookie."""
    fields = {"email": aino.email, "password": PASSWORD}
    answer = served.client.post(path, data=fields, headers=headers | {"Cookie": aino.cookie})
    assert answer.status_code == 303
    assert "auth.bad_origin" in answer.headers["location"]
    assert "set-cookie" not in answer.headers
    assert served.client.get("/m/999999/body", headers={"Cookie": aino.cookie}).status_code == 404, "still signed in"


def test_the_cookie_can_not_be_read_or_sent_elsewhere(served: Served, aino: Person) -> None:
    """HttpOnly, Lax, whole site, no Domain."""
    answer = served.post("/auth/login", {"email": aino.email, "password": PASSWORD})
    cookie = answer.headers["set-cookie"].lower()
    assert all(part in cookie for part in ("httponly", "samesite=lax", "path=/"))
    assert "domain" not in cookie


def test_sign_in_leads_nowhere_else(served: Served, aino: Person) -> None:
    """No parameter, header or path of a form moves the redirect off this server."""
    hostile = {name: "https://evil.example/" for name in ("next", "redirect", "return_to", "url", "token", "to")}
    for query in ("", "?next=https://evil.example", "?next=//evil.example", "?redirect=/\\evil.example"):
        fields = {"email": aino.email, "password": PASSWORD} | hostile
        for path in ("/auth/login", "/auth/invite"):
            answer = served.post(f"{path}{query}", fields, **{"X-Forwarded-Host": "evil.example"})
            assert re.match(r"/[a-z]", answer.headers["location"]), answer.headers["location"]
            assert "://" not in answer.headers["location"]
    for path in ("//evil.example/", "/\\evil.example", "/%2f%2fevil.example", "/inbox//evil.example/..", "/deals/"):
        location = _raw(served, f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").get(
            "location", ""
        )
        assert urlsplit(location).netloc in ("", "localhost"), location
        assert not location.startswith("//")


@pytest.mark.parametrize("path", ["/login", "/forgot", "/inbox", "/settings/account"])
@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "user@evil.example"])
def test_no_redirect_repeats_what_a_request_calls_us(served: Served, path: str, host: str) -> None:
    """The framework's own redirects took the Host header: a cache in between would have sent the next person there."""
    request = f"GET {path} HTTP/1.1\r\nHost: {host}\r\nX-Forwarded-Host: {host}\r\nConnection: close\r\n\r\n"
    answer = _raw(served, request)
    assert answer["status"] in ("307", "308")
    assert answer["location"] == f"{path}/"
    assert "evil" not in str(answer)


def test_nothing_keeps_what_is_somebodys(served: Served, aino: Person, secret_mail: int) -> None:
    """What a token or a cookie gets is in no cache; the interface's own files are, until they change."""
    for path in ("/me", "/threads", f"/messages/{secret_mail}?include=body", "/notifications", "/export/persons"):
        answer = served.rest(aino, "GET", path)
        assert answer.status_code == 200
        assert "no-store" in answer.headers["cache-control"], path
    for path in (f"/m/{secret_mail}/body", f"/m/{secret_mail}/raw", "/compose/people?q=a"):
        answer = served.client.get(path, headers={"Cookie": aino.cookie})
        assert answer.status_code == 200
        assert "no-store" in answer.headers["cache-control"], path
    assert served.client.get("/app.css").headers["cache-control"] == "no-cache"


@pytest.mark.parametrize("value", ["a\r\nSet-Cookie: sid=x", "a\x00b", "\u2028", "a\nLocation: https://evil.example"])
def test_nothing_typed_becomes_a_header(served: Served, value: str) -> None:
    """Form fields come back in the address of the form, as data."""
    for path in POSTS:
        answer = served.post(path, {"email": value, "name": value, "password": value, "token": value})
        assert "set-cookie" not in answer.headers or "sid=x" not in answer.headers["set-cookie"]
        assert answer.headers["location"].startswith("/")
        assert "\n" not in answer.headers["location"]


def test_guessing_passwords_is_slowed_whatever_the_sender_says(served: Served) -> None:
    """Threat 14: 20 wrong tries a minute do not get through, with a new X-Forwarded-For each time (hops are 0)."""
    victim = served.person("Victim")
    answers = []
    for number in range(20):
        spoofed = {
            "X-Forwarded-For": f"203.0.113.{number}",
            "X-Real-IP": f"203.0.113.{number}",
            "Forwarded": "for=9.9.9.9",
        }
        answer = served.post("/auth/login", {"email": victim.email.upper(), "password": f"wrong-{number}"}, **spoofed)
        answers.append(answer.headers["location"])
    assert sum("auth.wrong" in each for each in answers) <= 5
    assert all("auth.locked" in each for each in answers[5:])
    right = served.post("/auth/login", {"email": victim.email, "password": PASSWORD})
    assert "auth.locked" in right.headers["location"]
    with served.inside(), reading() as session:
        counted = set(session.exec(select(LoginAttempt.subject)))
    assert throttle.network_subject("127.0.0.1") in counted, "the network that it came from is counted"
    named = {throttle.network_subject(f"203.0.113.{number}") for number in range(20)}
    assert not named & counted, "not the one it names"


def test_an_unknown_address_is_answered_like_a_known_one(served: Served) -> None:
    """Sign-in does not tell who has an account: same words, same count of tries, same lock."""
    known = served.person("Known").email
    told = []
    for email in (known, "nobody-at-all@crm.test"):
        got = [
            served.post("/auth/login", {"email": email, "password": f"no-{n}"}).headers["location"] for n in range(6)
        ]
        told.append([re.sub(r"until=[^&]*|address=[^&]*", "", each) for each in got])
    assert told[0] == told[1]


@pytest.mark.parametrize("path", ["/_upload", "/_upload/", "/_upload/x", "/_upload/../_upload"])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_reflexs_upload_is_shut(served: Served, aino: Person, path: str, method: str) -> None:
    """reflex.md §2: it takes any handler's name and any token, and no limit."""
    headers = {"Reflex-Client-Token": "x", "Reflex-Event-Handler": "state.hydrate", "Cookie": aino.cookie}
    files = {"files": ("a.txt", b"x" * 1000)} if method == "POST" else None
    assert served.client.request(method, path, headers=headers, files=files).status_code == 413


@pytest.mark.parametrize("path", ["/_all_routes", "/_health", "/ping", "/mailcrm.sqlite3", "/secret.key", "/data/"])
def test_reflexs_own_routes_tell_nothing(served: Served, path: str) -> None:
    """Routes that come with the framework, and files that must not be there."""
    body = served.client.get(path).text
    assert "auth/login" not in body
    assert "SQLite format" not in body


@pytest.mark.parametrize("path", ["/../../../etc/passwd", "/%2e%2e/%2e%2e/%2e%2e/etc/passwd", "/..%5c..%5cetc/passwd",
                                  "/assets/..%2f..%2f..%2f..%2frxconfig.py", "/....//....//etc/passwd", "/%00"])  # fmt: skip
def test_static_files_stay_in_their_folder(served: Served, path: str) -> None:
    """Path traversal, sent as it is (clients tidy such paths up)."""
    answer = _raw(served, f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
    assert "root:" not in answer["body"]
    assert "rx.Config" not in answer["body"]


@pytest.mark.parametrize(
    "path", ["/auth/login", "/api/v1/messages", "/api/v1/persons", "/_event/?EIO=4&transport=polling", "/"]
)
def test_huge_bodies_are_not_taken(served: Served, aino: Person, path: str) -> None:
    """Announced: refused before it is sent. Without a length: cut off while it comes."""
    connection = http.client.HTTPConnection("127.0.0.1", served.port, timeout=20)
    headers = {"Origin": served.url, "Content-Type": "application/json", "Authorization": f"Bearer {aino.token}"}
    connection.putrequest("POST", path)
    for name, value in (headers | {"Content-Length": str(10**12)}).items():
        connection.putheader(name, value)
    connection.endheaders()
    answer = connection.getresponse()
    assert answer.status in (303, 400, 403, 404, 405, 413, 422)
    assert answer.getheader("set-cookie") is None
    connection.close()


def test_a_body_without_a_length_is_cut_off(served: Served, aino: Person) -> None:
    """Chunked: the limit counts what came."""

    def endless():  # noqa: ANN202
        for _ in range(60):
            yield b" " * 1_000_000

    headers = {"Authorization": f"Bearer {aino.token}", "Content-Type": "application/json"}
    try:
        answer = served.client.post("/api/v1/persons", content=endless(), headers=headers)
    except OSError:
        return
    except Exception as error:
        assert "closed" in str(error).lower() or "broken" in str(error).lower() or "disconnect" in str(error).lower()  # noqa: PT017
        return
    assert answer.status_code == 413


def test_the_metrics_tell_nobody(served: Served, aino: Person) -> None:
    """Public, so: no address, no name, no text of anybody."""
    body = served.client.get("/metrics").text
    assert "@" not in body
    assert "Aino" not in body


def _raw(served: Served, request: str) -> dict[str, str]:
    with socket.create_connection(("127.0.0.1", served.port), timeout=10) as sock:
        sock.sendall(request.encode())
        got = b""
        while chunk := sock.recv(65_536):
            got += chunk
    head, _, body = got.decode("latin-1").partition("\r\n\r\n")
    found = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head.split("\r\n")[1:])}
    return found | {"body": body, "status": head.partition(" ")[2][:3]}
