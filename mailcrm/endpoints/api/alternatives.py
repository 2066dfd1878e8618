"""`/alternative-addresses`: from where else you may send mail to Smart Bcc addresses (M22)."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter
from pydantic import Field

from mailcrm.endpoints.api.common import Answer, Input, Page, RowId, Who, page, plain
from mailcrm.services.smart_bcc import alternatives

router = APIRouter(prefix="/alternative-addresses", tags=["mail"])


class NewAddress(Input):
    """The address; a mail with a link goes to it."""

    address: Annotated[str, Field(min_length=3, max_length=320)]


class Alternative(Answer):
    """It works once it is confirmed: by the link in the mail, which this interface never tells."""

    id: int
    address: str
    state: Literal["waiting", "expired", "confirmed"]
    sent_at: datetime | None
    confirmed_at: datetime | None


@router.get("", response_model=Page[Alternative])
def listing(who: Who) -> Any:
    """Your alternative addresses, oldest first; all of them."""
    return page(alternatives.list_alternatives(who))


@router.post("", status_code=201, response_model=Alternative)
def add(body: NewAddress, who: Who) -> Any:
    """Add one and send the mail that confirms it."""
    return plain(alternatives.add(who, body.address))


@router.get("/{alternative_id}", response_model=Alternative)
def one(alternative_id: RowId, who: Who) -> Any:
    """One of them."""
    return plain(alternatives.get(who, alternative_id))


@router.post("/{alternative_id}/resend", response_model=Alternative)
def resend(alternative_id: RowId, who: Who) -> Any:
    """Send the mail again; an earlier link ends."""
    return plain(alternatives.resend(who, alternative_id))


@router.delete("/{alternative_id}", status_code=204)
def remove(alternative_id: RowId, who: Who) -> None:
    """Delete it: mail from it is not taken any more."""
    alternatives.remove(who, alternative_id)
