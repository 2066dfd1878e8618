"""Two-step sign-in: enrolled with the password, asked for at sign-in, each code once, throttled (ASVS 6.3, 6.6)."""

from __future__ import annotations

import base64
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlmodel import select

from mailcrm.errors import CodeNeeded, NotFound, UserError
from mailcrm.models import AuditEntry, RecoveryCode, SecondFactor, UserSession
from mailcrm.services import crypto
from mailcrm.services.access import Actor
from mailcrm.services.auth import second, sessions, totp, users
from mailcrm.services.db import reading

PASSWORD = "correct horse battery"


class Phone:
    """An authenticator app whose clock stands: its code and the next one both fit for half a minute."""

    def __init__(self, enrolment: second.Enrolment) -> None:
        text = enrolment.secret.replace(" ", "")
        self.step = int(time.time()) // totp.STEP_S
        self.secret = base64.b32decode(text + "=" * (-len(text) % 8))

    def code(self, steps: int = 0) -> str:
        return totp.code(self.secret, self.step + steps)


@pytest.fixture
def ann(db: str) -> Actor:
    return users.set_up(name="Ann", email="ann@x.example", password=PASSWORD)[0]


@pytest.fixture
def enrolled(ann: Actor) -> tuple[Actor, Phone, tuple[str, ...]]:
    phone = Phone(second.begin(ann, PASSWORD))
    return ann, phone, second.confirm(ann, phone.code())


def ticket() -> str:
    with pytest.raises(CodeNeeded) as needed:
        sessions.sign_in("ann@x.example", PASSWORD)
    return needed.value.ticket


def count_sessions() -> int:
    with reading() as session:
        return len(session.exec(select(UserSession)).all())


def test_nothing_is_asked_for_before_the_first_code(ann: Actor) -> None:
    """A phone that never scanned the picture locks nobody out."""
    with pytest.raises(UserError, match="current password"):
        second.begin(ann, "wrong guess")
    phone = Phone(second.begin(ann, PASSWORD))
    with pytest.raises(UserError, match="doesn’t fit"):
        second.confirm(ann, "000000" if phone.code() != "000000" else "000001")
    assert sessions.sign_in("ann@x.example", PASSWORD)
    assert not second.state(ann).on


def test_the_password_alone_opens_no_session(enrolled: tuple[Actor, Phone, tuple[str, ...]]) -> None:
    actor, phone, codes = enrolled
    before = count_sessions()
    given = ticket()
    assert count_sessions() == before
    assert sessions.actor_of_secret(given) is None, "a ticket is no session"
    secret = sessions.finish(given, f" {phone.code(1)[:3]} {phone.code(1)[3:]} ")
    found = sessions.actor_of_secret(secret)
    assert found is not None
    assert found.user_id == actor.user_id
    assert second.state(actor) == second.SecondView(True, len(codes))
    with pytest.raises(UserError, match="too long"):
        sessions.finish(given, phone.code(1))


def test_a_code_works_once(enrolled: tuple[Actor, Phone, tuple[str, ...]]) -> None:
    """RFC 6238 §5.2, also for two sign-ins at once; nor does the one that switched it on."""
    _actor, phone, _codes = enrolled
    one, two, code = ticket(), ticket(), phone.code(1)

    def finish(given: str) -> str:
        try:
            return sessions.finish(given, code)
        except UserError as error:
            return error.code

    with ThreadPoolExecutor(2) as pool:
        got = list(pool.map(finish, (one, two)))
    assert sum(each.startswith("auth.") for each in got) == 1, got
    with pytest.raises(UserError, match="doesn’t fit"):
        sessions.finish(ticket(), phone.code())


def test_a_recovery_code_works_once_and_is_kept_as_a_hash(enrolled: tuple[Actor, Phone, tuple[str, ...]]) -> None:
    actor, _phone, codes = enrolled
    assert len(set(codes)) == second.RECOVERY_CODES
    assert sessions.finish(ticket(), codes[3].lower().replace("-", " "))
    assert second.state(actor).codes_left == second.RECOVERY_CODES - 1
    with pytest.raises(UserError, match="doesn’t fit"):
        sessions.finish(ticket(), codes[3])
    with reading() as session:
        kept = {row.code_hash for row in session.exec(select(RecoveryCode))}
    assert not any(code in kept or code.replace("-", "") in kept for code in codes)
    fresh = second.renew_codes(actor, PASSWORD)
    assert not set(fresh) & set(codes)
    with pytest.raises(UserError, match="doesn’t fit"):
        sessions.finish(ticket(), codes[4])
    assert sessions.finish(ticket(), fresh[4])


def test_guesses_are_throttled_whatever_the_ticket(enrolled: tuple[Actor, Phone, tuple[str, ...]]) -> None:
    """Six digits stand only while few may be tried: a new ticket for each guess is no way around."""
    _actor, phone, _codes = enrolled
    right, refused = phone.code(1), []
    for guess in range(7):
        with pytest.raises(UserError) as error:
            sessions.finish(ticket(), f"{(int(right) + 7 + guess) % 10**6:06d}")
        refused.append(error.value.code)
    assert refused == ["auth.code_wrong"] * 5 + ["auth.locked"] * 2
    with pytest.raises(UserError, match="Too many"):
        sessions.finish(ticket(), right)


def test_the_secret_is_sealed_for_its_user(enrolled: tuple[Actor, Phone, tuple[str, ...]]) -> None:
    """Threat 11: not in the database, and of no use in another row."""
    actor, phone, _codes = enrolled
    with reading() as session:
        box = session.exec(select(SecondFactor.secret)).one()
    assert phone.secret not in box
    assert phone.secret.hex().encode() not in box
    assert crypto.unseal(box, context=f"second_factor:{actor.user_id}") == phone.secret.hex()
    with pytest.raises(Exception, match="can’t be read"):
        crypto.unseal(box, context=f"second_factor:{actor.user_id + 1}")


def test_tokens_ask_for_no_code(enrolled: tuple[Actor, Phone, tuple[str, ...]]) -> None:
    found = users.actor_of_token(users.create_token(enrolled[0]))
    assert found is not None
    assert found.user_id == enrolled[0].user_id


def test_it_is_switched_off_with_the_password(enrolled: tuple[Actor, Phone, tuple[str, ...]]) -> None:
    actor, _phone, codes = enrolled
    with pytest.raises(UserError, match="current password"):
        second.turn_off(actor, "wrong guess")
    given = ticket()
    second.turn_off(actor, PASSWORD)
    assert sessions.sign_in("ann@x.example", PASSWORD)
    with pytest.raises(UserError, match="too long"):
        sessions.finish(given, codes[0])
    with pytest.raises(UserError, match="off already"):
        second.turn_off(actor, PASSWORD)


def test_an_administrator_resets_a_colleague_and_it_is_written_down(
    enrolled: tuple[Actor, Phone, tuple[str, ...]],
) -> None:
    ann = enrolled[0]
    ben = users.by_email(users.create(name="Ben", email="ben@x.example", password=PASSWORD).email)
    with pytest.raises(UserError, match="administrator"):
        second.reset(ben, ann.user_id)
    with pytest.raises(UserError, match="administrator"):
        second.users_with(ben)
    for absent in (ben.user_id, 0, -1, 10**12):
        with pytest.raises(NotFound):
            second.reset(ann, absent)
    assert second.users_with(ann) == {ann.user_id}
    second.reset(ann, ann.user_id)
    assert sessions.sign_in("ann@x.example", PASSWORD)
    with reading() as session:
        kept = session.exec(select(AuditEntry.actor_id, AuditEntry.object_id).where(AuditEntry.verb == "second_reset"))
        assert kept.all() == [(ann.user_id, ann.user_id)]
