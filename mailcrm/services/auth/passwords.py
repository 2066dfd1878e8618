"""Passwords: argon2id with the library's default cost; length over composition rules (NIST SP 800-63B)."""

from __future__ import annotations

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from mailcrm.errors import UserError

LEAST = 10  # characters; SP 800-63B asks for 8, a CRM holds other people's mail
MOST = 1024  # a bound on the hashing cost of one request
_EASY = frozenset(
    ("password", "passwort", "1234567890", "qwertyuiop", "mailcrm", "letmein", "administrator", "iloveyou", "welcome")
)
_hasher = PasswordHasher()
#: Verified when there is no such user, so that the answer takes the same time. Of a random password that nobody kept;
#: a constant, because every process and command would hash it anew.
_NOBODY = "$argon2id$v=19$m=65536,t=3,p=4$F6kSKbkOcxs0HPjliiDoZQ$Ajh9kxxueZoVfkgnHHgFgS/oZUsvfpeQavQ1dIZVsvE"


def check_strength(password: str) -> None:
    """Raise UserError when the password is too short, too long or among the easiest to guess."""
    if len(password) < LEAST:
        raise UserError("auth.password_short", least=LEAST)
    if len(password) > MOST:
        raise UserError("input.too_long", field="Password", most=MOST)
    letters = password.lower()
    if len(set(letters)) < 4 or letters.strip("0123456789!.") in _EASY or letters in _EASY:
        raise UserError("auth.password_common")


def hash_password(password: str) -> str:
    """Return the argon2id hash to store."""
    return _hasher.hash(password)


def verify(stored: str | None, password: str) -> bool:
    """Tell whether the password fits; takes as long when there is no stored hash."""
    try:
        return _hasher.verify(stored or _NOBODY, password[: MOST + 1]) and stored is not None
    except (VerificationError, InvalidHashError):
        return False
