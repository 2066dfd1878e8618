"""What Exchange's web services said last: the numbers that their items go by here, and where a folder's answer ended.

EWS names items by opaque ids that change with every move; the ledger counts UIDs. A *remote folder* hands them out as an
IMAP server would, once each, and never again. Not the ledger: rows here are the server's side of it.
"""

from datetime import datetime

from sqlalchemy import Index, UniqueConstraint
from sqlmodel import Field

from mailcrm.models.base import BigId, Table, key, moment


class RemoteFolder(Table, table=True):
    """A folder of an Exchange mailbox, with the state up to which its changes were taken over ("" at the beginning)."""

    __tablename__ = "remote_folders"
    __table_args__ = (UniqueConstraint("mailbox_id", "remote_id"),)

    id: int | None = key()
    mailbox_id: int = key(foreign="mailboxes.id", index=False)
    remote_id: str
    #: The name it has in `folders`; two may have one for a moment, while they are swapped.
    name: str
    uidvalidity: int = Field(sa_type=BigId)
    uidnext: int = Field(default=1, sa_type=BigId)
    highestmodseq: int = Field(default=1, sa_type=BigId)
    sync_state: str = ""


class RemoteItem(Table, table=True):
    """An item of such a folder: its UID here, its id there, and what the server said of it."""

    __tablename__ = "remote_items"
    __table_args__ = (Index("ix_remote_items_item", "remote_folder_id", "item_id", unique=True),)

    remote_folder_id: int = Field(primary_key=True, foreign_key="remote_folders.id", ondelete="CASCADE", sa_type=BigId)
    uid: int = Field(primary_key=True, sa_type=BigId)
    item_id: str
    #: PidTagSearchKey, which a move keeps; for a draft "draft:" and its ChangeKey: its content changes under one id.
    name: str = ""
    #: Bytes: the server's estimate, from the first fetch on what its MIME has.
    size: int = Field(sa_type=BigId)
    received_at: datetime | None = moment(nullable=True)
    seen: bool = False
    draft: bool = False
    modseq: int = Field(default=1, sa_type=BigId)
