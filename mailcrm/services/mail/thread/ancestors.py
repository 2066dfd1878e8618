"""What a stored message answers: the Message-IDs that its raw source names. The database keeps only its parent's."""

from __future__ import annotations

from collections.abc import Mapping

from mailcrm.services.mail import blobs
from mailcrm.services.mail.packs import Place
from mailcrm.services.mail.parse.headers import first, header_fields, message_ids, trim_start
from mailcrm.services.mail.parse.values import MAX_HEADER_BYTES, UnparsableMessage


def ancestors(sha: str, parent: str | None, places: Mapping[str, Place] | None = None) -> tuple[str, ...]:
    """Return the ids that a message names, farthest first; only its parent where the bytes are lost.

    `places` as `blobs.get` takes them.
    """
    try:
        fields, _ = header_fields(trim_start(blobs.get(sha, places)[:MAX_HEADER_BYTES]))
    except (blobs.BlobLost, UnparsableMessage):
        return (parent,) if parent else ()
    named = message_ids(first(fields, "references"))
    return tuple(dict.fromkeys((*named, *((parent,) if parent else ()))))
