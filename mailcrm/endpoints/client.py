"""Where a request came from, behind as many proxies as MAILCRM_PROXY_HOPS says. Keeps nothing."""

from __future__ import annotations

from starlette.requests import Request

from mailcrm.config import config


def address_of(request: Request) -> str:
    """The client's address; behind trusted proxies the last address that one of them wrote."""
    return address_in(request.headers.get("x-forwarded-for", ""), request.client.host if request.client else "")


def address_in(forwarded: str, peer: str) -> str:
    """The same, of the header's value and the address that is connected."""
    hops = config().proxy_hops
    if hops and forwarded:
        found = [each.strip() for each in forwarded.split(",") if each.strip()]
        if len(found) >= hops:
            return found[-hops]
    return peer


def is_sure(forwarded: str) -> bool:
    """False when the address may be that of a proxy nobody told us of: then everybody has the same."""
    return not forwarded or 0 < config().proxy_hops <= forwarded.count(",") + 1


def sure_address_of(request: Request) -> str:
    """The client's address, "" where it may be a proxy's."""
    return address_of(request) if is_sure(request.headers.get("x-forwarded-for", "")) else ""
