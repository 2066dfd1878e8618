"""`/mailboxes/{id}/folders`: which folders are synced and watched (M14). Choosing hides and backfills."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import Field

from mailcrm.endpoints.api.common import Answer, Input, RowId, Who, plain
from mailcrm.services.mail import folder_choice as verbs

router = APIRouter(prefix="/mailboxes/{mailbox_id}/folders", tags=["mailboxes"])


class Choice(Input):
    """Everything, or only the folders with these ids."""

    everything: bool = False
    chosen: Annotated[list[Annotated[int, Field(ge=1, lt=2**63)]], Field(max_length=2000)] = []


class Watch(Input):
    """Whether the folder's mail is waited for live."""

    watched: bool


class FolderRow(Answer):
    """A folder of the tree; `messages` is null where the server was not asked yet."""

    id: int
    name: str
    label: str
    depth: int
    role: str
    messages: int | None
    stored: int
    chosen: bool
    watched: bool
    selectable: bool


class Folders(Answer):
    """What is synced, and the tree of folders."""

    everything: bool
    folders: list[FolderRow]


class Leaving(Answer):
    """How many messages would leave mailcrm; they are kept and come back when their folders are chosen again."""

    leaving: int


@router.get("", response_model=Folders)
def folders(mailbox_id: RowId, who: Who) -> Any:
    """The mailbox's folders as the server listed them last."""
    return plain(verbs.folders(who, mailbox_id))


@router.put("", response_model=Folders)
def choose(mailbox_id: RowId, body: Choice, who: Who) -> Any:
    """Choose what is synced from now on."""
    return plain(verbs.choose(who, mailbox_id, everything=body.everything, chosen=body.chosen))


@router.post("/preview", response_model=Leaving)
def preview(mailbox_id: RowId, body: Choice, who: Who) -> Any:
    """Count what would leave with this choice; changes nothing."""
    return {"leaving": verbs.preview(who, mailbox_id, everything=body.everything, chosen=body.chosen)}


@router.patch("/{folder_id}", response_model=Folders)
def watch(mailbox_id: RowId, folder_id: RowId, body: Watch, who: Who) -> Any:
    """Watch a folder live, or no longer; INBOX always is."""
    return plain(verbs.watch(who, mailbox_id, folder_id, body.watched))
