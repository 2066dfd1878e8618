"""Signatures as standardwebhooks.com makes them: receivers use its libraries."""

from __future__ import annotations

import base64

from mailcrm.services.webhooks import signing

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


def test_the_published_example() -> None:
    found = signing.headers(SECRET, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')
    assert found == {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }


def test_each_part_is_signed() -> None:
    made = {
        signing.signature(SECRET, *each)
        for each in (("a", 1, b"x"), ("b", 1, b"x"), ("a", 2, b"x"), ("a", 1, b"y"), ("a", 1, b""))
    }
    assert len(made) == 5


def test_secrets_have_256_bits_and_differ() -> None:
    made = {signing.new_secret() for _ in range(100)}
    assert len(made) == 100
    assert {len(base64.b64decode(each.removeprefix("whsec_"))) for each in made} == {32}
