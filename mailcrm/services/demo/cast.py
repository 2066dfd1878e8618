"""Who plays in the demo: a maker of water sensors and its customers. All of them are invented."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Somebody:
    """A person at a customer."""

    name: str
    address: str
    organization: str
    title: str
    phone: str = ""
    owner: str = "sana"
    consent: str = ""


@dataclass(frozen=True)
class Sale:
    """A deal; `days` in its stage so far, `closes_in` days from now."""

    title: str
    organization: str
    person: str
    value_minor: int
    currency: str
    stage: str
    days: int
    closes_in: int
    owner: str = "sana"


ORGANIZATIONS = {
    "Nordlicht Aquakultur GmbH": "nordlicht-aqua.example",
    "Saimaa Water Utility": "saimaa-vesi.example",
    "Coastal Municipal": "coastal-municipal.example",
    "三浦水産株式会社": "miura-suisan.example",
    "Gulf Desalination": "gulf-desalination.example",
    "AguaViva Murcia": "aguaviva.example",
    "Incheon Port Authority": "incheon-port.example",
    "Eaux de Loire": "eaux-loire.example",
    "Rhône Hydro": "rhone-hydro.example",
    "Severn Trout Farms": "severn-trout.example",
    "Kinneret Monitoring": "kinneret-monitoring.example",
    "Vltava Water": "vltava-water.example",
}

LENA = "lena.vogt@nordlicht-aqua.example"
MIKA = "mika.aaltonen@saimaa-vesi.example"
PRIYA = "priya.raman@coastal-municipal.example"
SATO = "sato.aya@miura-suisan.example"
OMAR = "omar.haddad@gulf-desalination.example"
INES = "ines.carrasco@aguaviva.example"
GRACE = "grace.kim@incheon-port.example"
CHLOE = "chloe.martin@eaux-loire.example"
JULIAN = "julian.meyer@rhone-hydro.example"
TOM = "tom.beckett@severn-trout.example"
NOA = "noa.levi@kinneret-monitoring.example"
HANA = "hana.novotna@vltava-water.example"
JOERG = "joerg.petersen@nordlicht-aqua.example"  # takes part in a thread and isn't a contact yet

PEOPLE = (
    Somebody(
        "Lena Vogt", LENA, "Nordlicht Aquakultur GmbH", "Head of Operations", "+49 4834 555 0142", consent="granted"
    ),
    Somebody("Mika Aaltonen", MIKA, "Saimaa Water Utility", "Laboratory manager", "+358 9 555 0117"),
    Somebody("Priya Raman", PRIYA, "Coastal Municipal", "Programme lead", "+1 415 555 0168", consent="granted"),
    Somebody("佐藤 彩", SATO, "三浦水産株式会社", "品質管理部 部長", "+81 46 555 0133"),
    Somebody("Inés Carrasco", INES, "AguaViva Murcia", "Directora de compras", owner="dmitri"),
    Somebody("Grace Kim", GRACE, "Incheon Port Authority", "Environment officer"),
    Somebody("Chloé Martin", CHLOE, "Eaux de Loire", "Cheffe de projet", owner="dmitri"),
    Somebody("Julian Meyer", JULIAN, "Rhône Hydro", "IT security", owner="dmitri"),
    Somebody("Tom Beckett", TOM, "Severn Trout Farms", "Finance", consent="refused"),
    Somebody("נועה לוי", NOA, "Kinneret Monitoring", "מנהלת מעבדה"),
    Somebody("Hana Novotná", HANA, "Vltava Water", "Technical director"),
)

DEALS = (
    Sale("Büsum expansion, 24 probes", "Nordlicht Aquakultur GmbH", LENA, 4_820_000, "EUR", "Negotiation", 6, 7),
    Sale("Saimaa phase 2", "Saimaa Water Utility", MIKA, 2_270_000, "EUR", "Proposal", 4, 21),
    Sale("Coastal Municipal pilot", "Coastal Municipal", PRIYA, 3_150_000, "USD", "Proposal", 9, 30),
    Sale("三浦水産 水質監視", "三浦水産株式会社", SATO, 6_400_000, "JPY", "Demo", 5, 40),
    Sale("AguaViva framework", "AguaViva Murcia", INES, 6_400_000, "EUR", "Negotiation", 3, 5, "dmitri"),
    Sale("Incheon Port Authority", "Incheon Port Authority", GRACE, 41_000_000, "KRW", "Contact made", 11, 60),
    Sale("Loire pumping stations", "Eaux de Loire", CHLOE, 2_650_000, "EUR", "Contact made", 8, 75, "dmitri"),
    Sale("Rhône Hydro rollout", "Rhône Hydro", JULIAN, 3_800_000, "EUR", "Demo", 12, 45, "dmitri"),
    Sale("Severn trout upgrade", "Severn Trout Farms", TOM, 1_290_000, "GBP", "Contact made", 2, 50),
    Sale("Vltava Water monitoring", "Vltava Water", HANA, 1_800_000, "EUR", "Qualified", 1, 90),
    Sale("Kinneret buoys", "Kinneret Monitoring", NOA, 7_250_000, "ILS", "Qualified", 3, 80),
    Sale("Nordlicht service contract", "Nordlicht Aquakultur GmbH", "", 940_000, "EUR", "Qualified", 2, 120),
)

LEADS = (
    "Jubail desalination, four intakes",
    "Clyde trout, sensors",
    "Wadden monitoring tender",
    "Fucino aquifer study",
)


@dataclass(frozen=True)
class Step:
    """What is planned with a deal, `days` from now (negative: it is late)."""

    deal: str
    kind: str
    subject: str
    days: int


@dataclass(frozen=True)
class Text:
    """A template; merge fields are typed out as `{{ … }}`."""

    name: str
    folder: str
    subject: str
    html: str
    shared: bool = True


#: Some deals have none, as in life: the board says so.
STEPS = (
    Step("Büsum expansion, 24 probes", "call", "Confirm delivery in week 47", 0),
    Step("Saimaa phase 2", "task", "Send the two missing certificates", 1),
    Step("Coastal Municipal pilot", "call", "Ask Priya what finance said", 2),
    Step("AguaViva framework", "meeting", "Sign the framework contract", 3),
    Step("Incheon Port Authority", "task", "Follow up on the demo", -2),
    Step("三浦水産 水質監視", "meeting", "お見積りのご説明", 4),
)

NOTES = {
    "Büsum expansion, 24 probes": "Board meets on Fridays. Jörg decides about the divers, Lena about the money.",
    "Coastal Municipal pilot": "Budget year ends in June; the pilot must be invoiced before.",
}

_HELLO = '<p>Hi {{ person.first_name | default("there") }},</p>'
TEMPLATES = (
    Text(
        "First contact",
        "Opening",
        'Water quality at {{ organization.name | default("your site") }}',
        f"{_HELLO}<p>we measure oxygen, pH and temperature where fish live, every ten minutes, without a boat. "
        "Would a twenty-minute call next week be of use to you?</p><p>Best wishes<br>{{ sender.first_name }}</p>",
    ),
    Text(
        "After a demo",
        "Opening",
        "Thank you for your time",
        f"{_HELLO}<p>thank you for the good questions. What we agreed:</p><ul><li>a proposal by Friday</li>"
        "<li>the list of probes for each basin</li></ul><p>Did I forget anything?</p>"
        "<p>Best wishes<br>{{ sender.first_name }}</p>",
    ),
    Text(
        "Proposal",
        "Closing",
        'Proposal: {{ deal.title | default("water sensors") }}',
        f"{_HELLO}<p>attached is our proposal. The prices hold for thirty days.</p>"
        "<p>Best wishes<br>{{ sender.first_name }}</p>",
    ),
    Text(
        "Friendly reminder",
        "Closing",
        "Have you had a moment?",
        f"{_HELLO}<p>have you had a moment to look at what I sent? A word is enough, also a no.</p>"
        "<p>Best wishes<br>{{ sender.first_name }}</p>",
        shared=False,
    ),
    Text(
        "お見積りのご案内",
        "日本語",
        "お見積りの件",
        '<p>{{ person.name | default("ご担当者") }} 様</p><p>いつもお世話になっております。お見積書をお送りいたします。'
        "ご不明な点がございましたら、お気軽にお問い合わせください。</p><p>{{ sender.name }}</p>",
    ),
)
