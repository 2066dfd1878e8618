"""What went wrong on the way back to a page, in its address: a code of `sentences.SENTENCES`, its parameters, and our mark.

Anybody can make a link to our page; only what we wrote ourselves, for this very user, is shown there: a
stranger's text would stand in our words. Not for secrets: the address is in clear.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping

from mailcrm.config import config
from mailcrm.errors import MailcrmError
from mailcrm.services import crypto

MOST = 120  # characters of one parameter
_PURPOSE = "told"


def query_of(error: MailcrmError, user_id: int) -> dict[str, str]:
    """Return the query of an address that tells a user of an error."""
    said = {"error": error.code} | {name: str(value)[:MOST] for name, value in error.params.items()}
    return said | {"sign": _mac(config().secret_keys[0], said, user_id)}


def read(query: Mapping[str, str], user_id: int) -> tuple[str, dict[str, str]] | None:
    """Return the code and the parameters that a query tells this user; None for one that we did not write."""
    said = {name: value[: MOST + 1] for name, value in query.items() if name != "sign"}
    sign = query.get("sign", "")
    if not any(hmac.compare_digest(_mac(key, said, user_id).encode(), sign.encode()) for key in config().secret_keys):
        return None
    return said.pop("error", ""), said


def _mac(secret: str, said: Mapping[str, str], user_id: int) -> str:
    text = json.dumps([user_id, sorted(said.items())])
    made = hmac.new(crypto.derive(secret, _PURPOSE), text.encode(), hashlib.sha256).digest()
    return base64.urlsafe_b64encode(made).decode().rstrip("=")
