"""The charset ladder: vendors' characters, wrong labels, no label (threat 21; sync.md A5)."""

from __future__ import annotations

import pytest

from mailcrm.services.mail.parse.charsets import decode_bytes
from mailcrm.services.mail.parse.headers import header_text

TEXTS = {
    "ru": "Здравствуйте, коллеги! Посылаю вам протокол нашей встречи и список вопросов, которые нужно обсудить.",
    "uk": "Доброго дня! Надсилаю вам договір, який потрібно підписати до кінця тижня, та інші документи.",
    "el": "Καλημέρα σας, σας στέλνω το συμβόλαιο που πρέπει να υπογράψετε μέχρι την Παρασκευή.",
    "he": "שלום לכולם, אני שולח לכם את הפרוטוקול של הפגישה האחרונה ואת רשימת השאלות.",
    "ar": "السلام عليكم، أرسل لكم محضر الاجتماع الأخير وقائمة الأسئلة التي يجب مناقشتها قبل يوم الجمعة.",
    "ja": "お世話になっております。見積書をお送りしますので、ご確認ください。",
    "zh": "您好，附件是上次会议的记录和需要在星期五之前讨论的问题清单，请查收。",
    "tw": "您好，附件是上次會議的記錄和需要在星期五之前討論的問題清單，請查收。",
    "ko": "안녕하세요. 지난 회의의 회의록과 금요일까지 논의해야 할 질문 목록을 보내드립니다.",
    "fr": "Très chère élève, où êtes-vous allé à Noël ? Ça a été très agréable, évidemment.",
}
CODECS = {
    "ru": "cp1251 koi8-r iso8859-5 cp866 utf-8", "uk": "cp1251 koi8-u", "el": "cp1253 iso8859-7", "he": "cp1255 iso8859-8",
    "ar": "cp1256 iso8859-6", "ja": "cp932 euc_jp", "zh": "gb18030", "tw": "cp950", "ko": "cp949", "fr": "cp1252 utf-8",
}  # fmt: skip


@pytest.mark.parametrize("label", [None, "us-ascii", "iso-8859-1", "unknown-8bit", "x-user-defined"])
@pytest.mark.parametrize(
    ("language", "codec"), [(lang, codec) for lang, all_ in CODECS.items() for codec in all_.split()]
)
def test_text_without_a_true_label_is_recognised(language: str, codec: str, label: str | None) -> None:
    raw = TEXTS[language].encode(codec, "ignore")
    assert decode_bytes(raw, label) == raw.decode(codec)


@pytest.mark.parametrize(
    ("label", "raw", "text"),
    [
        ("iso-2022-jp", b"\x1b$B-!-j|q\x1b(B", "①㈱ⅰ"),  # NEC row 13 and NEC-selected IBM: cp50221
        ("iso-2022-jp", b"\x1b(I6E\x1b(B", "ｶﾅ"),
        ("us-ascii", b"\x1b$B8+@Q=q\x1b(B", "見積書"),
        ("shift_jis", "①髙橋㈱Ⅷ".encode("cp932"), "①髙橋㈱Ⅷ"),
        ("gb2312", "朱镕基䶮𠮷".encode("gb18030"), "朱镕基䶮𠮷"),
        ("big5-hkscs", "我哋喺香港嘅㗎".encode("big5hkscs"), "我哋喺香港嘅㗎"),
        ("ks_c_5601-1987", "똠방각하".encode("cp949"), "똠방각하"),
        ("iso-8859-8-i", "שלום".encode("iso8859_8"), "שלום"),
        ("iso-8859-6", "سلام".encode("iso8859_6"), "سلام"),
        ("koi8-u", "Київ ґанок".encode("koi8_u"), "Київ ґанок"),
        ("utf-7", "日本語".encode("utf-7"), "日本語"),
        ("utf-16", "お世話になっております".encode("utf-16-le"), "お世話になっております"),
        ("utf-16le", "日本語".encode("utf-16-le"), "日本語"),
        ("windows-1252", "naïve café".encode(), "naïve café"),  # UTF-8 under the wrong label
        ("iso-8859-1", "Grüße".encode("latin-1"), "Grüße"),
        ("punycode", b"mnchen-3ya", "mnchen-3ya"),
    ],
)  # fmt: skip
def test_labels(label: str, raw: bytes, text: str) -> None:
    assert decode_bytes(raw, label) == text


def test_utf_16_without_a_mark_is_told_by_its_zeros() -> None:
    assert (
        decode_bytes("The quote is attached — see below".encode("utf-16-le"), "utf-16")
        == "The quote is attached — see below"
    )


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (b"=?utf-8?B?6KaL56k=?= =?utf-8?B?jeabuA==?=", "見積書"),  # a character cut between two words
        (b"=?iso-2022-jp?B?GyRCOCtAURsoQg==?=\r\n =?iso-2022-jp?B?GyRCPXEbKEI=?=", "見積書"),
        (b"=?utf-8?Q?a b?=", "a b"),  # a space that should be _
        (b"=?us-ascii?Q?Gr=C3=BC=C3=9Fe?=", "Grüße"),  # a wrong charset
        ("Grüße".encode(), "Grüße"),  # raw UTF-8 (RFC 6532)
        ("お見積もりの件について".encode("cp932"), "お見積もりの件について"),  # raw 8-bit of no label
        (b"=?utf-8?B?44GC?==?utf-8?B?44GE?=", "あい"),  # no space between
    ],
)
def test_broken_encoded_words(value: bytes, text: str) -> None:
    assert header_text(value) == text
