"""What the demo's people write to each other, newest conversation first. Written for this demo."""

from __future__ import annotations

from dataclasses import dataclass

from mailcrm.services import demo
from mailcrm.services.demo.cast import CHLOE, GRACE, HANA, INES, JOERG, JULIAN, LENA, MIKA, NOA, OMAR, PRIYA, SATO, TOM

SANA, DMITRI = demo.ADMIN_EMAIL, demo.COLLEAGUE_EMAIL


@dataclass(frozen=True)
class Line:
    """One message; `ago` is "20m" or "3d 16:12"."""

    sender: str
    to: tuple[str, ...]
    ago: str
    text: str
    html: str = ""
    cc: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    unread: bool = False


@dataclass(frozen=True)
class Conversation:
    """A thread; every line after the first is a reply to the one before."""

    key: str
    subject: str
    lines: tuple[Line, ...]
    folder: str = "INBOX"


PROPOSAL_HTML = """\
<html><body style="font-family: Helvetica, Arial, sans-serif; color: #1c2024">
<p>Hi Lena,</p>
<p>Attached is the revised proposal. Option B keeps the full probe count and moves the gateway to year two, which
brings it under the capex line Jörg mentioned.</p>
<table style="border-collapse: collapse; margin: 12px 0">
<tr><th style="text-align:left; padding:6px 14px 6px 0; border-bottom:1px solid #ccc">&nbsp;</th>
<th style="padding:6px 14px; border-bottom:1px solid #ccc">Option A</th>
<th style="padding:6px 14px; border-bottom:1px solid #ccc">Option B</th></tr>
<tr><td style="padding:6px 14px 6px 0">Probes</td><td style="padding:6px 14px">24</td><td style="padding:6px 14px">24</td></tr>
<tr><td style="padding:6px 14px 6px 0">Gateway</td><td style="padding:6px 14px">now</td><td style="padding:6px 14px">year two</td></tr>
<tr><td style="padding:6px 14px 6px 0"><b>Year one</b></td><td style="padding:6px 14px">€54,900</td>
<td style="padding:6px 14px; color:#1a7f4b"><b>€48,200</b></td></tr>
</table>
<p>You can compare both side by side here: <a href="https://tidewater.example/compare/busum">Compare option A and B</a></p>
<p>Best,<br>Sana</p></body></html>
"""

NEWSLETTER_HTML = """\
<html><head><title>Harbour Weekly</title><style>h1 { color: #0b4f8a } .lead { font-size: 17px }</style></head>
<body style="margin:0; background:#eef3f8"><table width="100%" cellpadding="0" cellspacing="0"><tr><td align="center">
<table width="560" cellpadding="24" style="background:#ffffff; font-family: Georgia, serif"><tr><td>
<img src="https://images.harbour-weekly.example/head.png" width="512" height="120" alt="Harbour Weekly">
<h1>Warmer water, busier labs</h1>
<p class="lead">Three ports publish their oxygen readings live from this month. We looked at what they measure, and at
what they leave out.</p>
<p><a href="https://harbour-weekly.example/oxygen" style="background:#0b4f8a; color:#ffffff; padding:10px 18px">Read on</a></p>
<p style="font-size:12px; color:#666666">You get this because you signed up at a fair.
<a href="https://harbour-weekly.example/out">Unsubscribe</a></p>
</td></tr></table></td></tr></table></body></html>
"""

ARABIC_HTML = """\
<html><body dir="rtl" style="font-family: 'Noto Sans Arabic', Tahoma, sans-serif">
<p>السلام عليكم،</p>
<p>نرجو تزويدنا بعرض سعر لمجسات قياس الملوحة والأكسجين لمحطة تحلية الجبيل، وعددها <b>12 مجسًا</b> موزعة على أربعة مآخذ.</p>
<p>نحتاج إلى التسليم قبل نهاية الربع القادم، مع التدريب في الموقع.</p>
<p>مع التحية،<br>عمر حداد<br>Gulf Desalination</p></body></html>
"""

CONVERSATIONS = (
    Conversation(
        "busum-proposal",
        "Proposal, 24 probes for the Büsum site",
        (
            Line(
                LENA,
                (SANA,),
                "5d 09:20",
                "Hallo Sana,\n\nthanks for coming up to Büsum. As promised, the site plan with the six existing "
                "positions. The tide table is on page two.\n\nCould you send a proposal for all 24 by Monday?\n\n"
                "Viele Grüße\nLena\n",
                files=("Site_plan_and_tide_tables.pdf",),
            ),
            Line(
                SANA,
                (LENA,),
                "2d 16:12",
                "Hi Lena,\n\nAttached is the revised proposal. Option B keeps the full probe count and moves the "
                "gateway to year two, which brings it under the capex line Jörg mentioned.\n\nCompare option A and B: "
                "https://tidewater.example/compare/busum\n\nBest,\nSana\n",
                html=PROPOSAL_HTML,
                cc=(JOERG,),
                files=("Proposal_Busum_24_probes.pdf",),
            ),
            Line(
                JOERG,
                (SANA,),
                "1d 11:05",
                "Hello Sana,\n\noption B fits our limit of €50k per site and year. Anything above would go to the "
                "supervisory board in January.\n\nJörg Petersen\nNordlicht Aquakultur GmbH\n",
                cc=(LENA,),
            ),
            Line(
                LENA,
                (SANA,),
                "18m",
                "Hi Sana,\n\nGood news: the board signed off on option B this morning. Before I send the PO, could "
                "you confirm two things:\n\n1. Delivery of all 24 probes by week 47. The divers are booked for the "
                "24th.\n2. Calibration certificates per probe, not per batch. Our auditor was quite firm on that.\n\n"
                "I’ve attached the signed terms. If both work for you, the PO goes out this afternoon.\n\n"
                "Viele Grüße\nLena\n",
                cc=(JOERG,),
                files=("Nordlicht_signed_terms.pdf", "Dive_schedule_week_47.csv"),
                unread=True,
            ),
        ),
    ),
    Conversation(
        "saimaa-certificates",
        "Calibration certificates for Lappeenranta",
        (
            Line(
                SANA,
                (MIKA,),
                "1d 15:30",
                "Hei Mika,\n\nthe certificates for the Lappeenranta probes are attached, one for each serial.\n\n"
                "Best,\nSana\n",
                files=("Certificates_and_serials.csv",),
            ),
            Line(
                MIKA,
                (SANA,),
                "55m",
                "Kiitos! Two of the serials on page three don’t match the probes we have in the water: TW-4107 and "
                "TW-4110. Could you check them against your list?\n\nThe rest is fine.\n\nMika\n",
                files=("serials_in_the_water.csv",),
                unread=True,
            ),
        ),
    ),
    Conversation(
        "coastal-pricing",
        "Pilot pricing, as discussed",
        (
            Line(
                PRIYA,
                (SANA,),
                "6d 17:45",
                "Hi Sana, good to talk. Could you put the 90-day pilot in writing? Six stations, our own boats.\n\n"
                "Priya\n",
            ),
            Line(
                SANA,
                (PRIYA,),
                "3d 10:15",
                "Hi Priya,\n\nhere is the 90-day pilot: six stations at $31,500 including the gateway, your boats, our "
                "installation. What you pay counts toward the full order.\n\nBest,\nSana\n",
                html="<p>Hi Priya,</p><p>here is the 90-day pilot: <b>six stations at $31,500</b> including the "
                "gateway, your boats, our installation. What you pay counts toward the full order.</p>"
                '<p><a href="https://tidewater.example/pilot">The pilot, step by step</a></p><p>Best,<br>Sana</p>',
                files=("Pilot_pricing_90_days.pdf",),
            ),
            Line(
                SANA,
                (PRIYA,),
                "75m",
                "Hi Priya,\n\nattached is the 90-day plan as a calendar, so that your crews can see the days at "
                "sea.\n\nBest,\nSana\n",
                files=("Pilot_calendar.csv",),
            ),
        ),
    ),
    Conversation(
        "jubail-quote",
        "طلب عرض سعر لمحطة تحلية الجبيل",
        (
            Line(
                OMAR,
                (SANA,),
                "100m",
                "السلام عليكم،\n\nنرجو تزويدنا بعرض سعر لمجسات قياس الملوحة والأكسجين لمحطة تحلية الجبيل، وعددها 12 "
                "مجسًا موزعة على أربعة مآخذ.\n\nنحتاج إلى التسليم قبل نهاية الربع القادم، مع التدريب في الموقع.\n\n"
                "مع التحية،\nعمر حداد\nGulf Desalination\n",
                html=ARABIC_HTML,
                unread=True,
            ),
        ),
    ),
    Conversation(
        "miura-quote",
        "見積書の件（改訂版のお願い）",
        (
            Line(
                SANA,
                (SATO,),
                "4d 08:10",
                "佐藤様\n\nいつもお世話になっております。Tidewater のオカフォーです。\n水質監視システムの見積書をお送りします。"
                "ご確認のほどよろしくお願いいたします。\n\nSana Okafor\n",
                files=("見積書_三浦水産.pdf",),
            ),
            Line(
                SATO,
                (SANA,),
                "2d 02:40",
                "オカフォー様\n\nお世話になっております。三浦水産の佐藤です。\n見積書をありがとうございました。社内で検討のうえ、"
                "今週中にご連絡いたします。\n\n佐藤 彩\n三浦水産株式会社 品質管理部\n",
            ),
            Line(
                SATO,
                (SANA,),
                "115m",
                "オカフォー様\n\nお世話になっております。三浦水産の佐藤です。\n\n見積書の件ですが、センサーの台数を八台から"
                "十二台に変更した改訂版をいただけますでしょうか。設置場所の図面を添付いたします。\n\n"
                "金曜日の会議で使いたいため、木曜日までにお願いできれば幸いです。\n\n佐藤 彩\n三浦水産株式会社 品質管理部\n",
                files=("設置場所.png",),
                unread=True,
            ),
        ),
    ),
    Conversation(
        "severn-invoice",
        "Invoice 2214: quick query",
        (
            Line(
                TOM,
                (SANA,),
                "140m",
                "Morning. Our accounts team think the VAT line is off by one month: the service starts in December, "
                "the invoice says November. Could you send a corrected one?\n\nTom\n",
                files=("Invoice_2214.pdf",),
                unread=True,
            ),
        ),
    ),
    Conversation(
        "kinneret-buoys",
        "שאלה על מצופי המדידה",
        (
            Line(
                NOA,
                (SANA,),
                "1d 07:50",
                "שלום סאנה,\n\nראינו את המצופים שלכם בתערוכה. האם הם עומדים בגלים של שני מטרים, ומה טווח השידור ל־LoRa?\n\n"
                "נשמח גם לקבל את מפרט ה־TW-4 באנגלית.\n\nתודה,\nנועה לוי\n",
                unread=True,
            ),
            Line(
                SANA,
                (NOA,),
                "1d 12:30",
                "Shalom Noa,\n\nyes to both: two metres of wave are fine, and LoRa reaches eleven kilometres over open "
                "water. The TW-4 sheet is attached.\n\nBest,\nSana\n",
                files=("TW-4_data_sheet.pdf",),
            ),
            Line(NOA, (SANA,), "1d 14:02", "תודה רבה! אחזור אליך אחרי הפגישה ביום חמישי.\n\nנועה\n"),
        ),
    ),
    Conversation(
        "incheon-demo",
        "Following up on the Incheon demo",
        (
            Line(
                GRACE,
                (SANA,),
                "8d 06:15",
                "Hello Sana,\n\nthe demo went well with the harbour master. We now need the noise figures of the pump for "
                "the permit.\n\nGrace Kim\n인천항만공사\n",
            ),
            Line(
                SANA,
                (GRACE,),
                "1d 09:40",
                "Hi Grace, thanks again for the day at the pier. The pump runs at 41 dB at one metre; the test report "
                "follows next week. Would a second demo with the permit office help?\n\nBest,\nSana\n",
            ),
        ),
    ),
    Conversation(
        "aguaviva-contract",
        "Firma del contrato marco",
        (
            Line(
                DMITRI,
                (INES,),
                "6d 13:00",
                "Hola Inés:\n\nadjunto el contrato marco con los cambios de la semana pasada.\n\nUn saludo,\nDmitri\n",
                cc=(SANA,),
                files=("Contrato_marco.pdf",),
            ),
            Line(
                INES,
                (DMITRI,),
                "5d 10:30",
                "Hola Dmitri:\n\nnuestro departamento jurídico pide cambiar el plazo de pago a 45 días. Lo demás está "
                "bien.\n\nInés\n",
                cc=(SANA,),
            ),
            Line(
                DMITRI,
                (INES,),
                "4d 09:10",
                "Hola Inés:\n\n45 días nos parece bien. Va la versión final.\n\nDmitri\n",
                cc=(SANA,),
                files=("Contrato_marco_final.pdf",),
            ),
            Line(
                INES,
                (DMITRI,),
                "1d 16:20",
                "Perfecto, lo firmamos el viernes. ¿Os viene bien a las 11?\n\nInés Carrasco\nAguaViva Murcia\n",
                cc=(SANA,),
                unread=True,
            ),
        ),
    ),
    Conversation(
        "loire-call",
        "Visio jeudi ?",
        (
            Line(
                DMITRI,
                (CHLOE,),
                "2d 15:00",
                "Bonjour Chloé,\n\nseriez-vous disponible jeudi pour une visio d’une demi-heure sur les stations de "
                "pompage ?\n\nDmitri\n",
            ),
            Line(
                CHLOE,
                (DMITRI,),
                "1d 15:10",
                "Bonjour Dmitri,\n\n15 h nous conviendrait mieux, Étienne a une réunion le matin.\n\nChloé\n",
                unread=True,
            ),
        ),
    ),
    Conversation(
        "rhone-security",
        "Security questionnaire v3",
        (
            Line(
                JULIAN,
                (DMITRI,),
                "7d 11:25",
                "Hi Dmitri, please find our questionnaire attached. Questions 12 to 19 decide.\n\nJulian Meyer\n",
                cc=(SANA,),
                files=("Security_questionnaire_v3.pdf",),
            ),
            Line(
                DMITRI,
                (JULIAN,),
                "3d 17:30",
                "Hi Julian,\n\nanswers attached; the penetration test report follows under the NDA.\n\nDmitri\n",
                cc=(SANA,),
                files=("Answers_v3.pdf",),
            ),
            Line(
                JULIAN,
                (DMITRI,),
                "3d 18:05",
                "Thanks, that was quick. Question 14 is still open: where are backups kept?\n\nJulian\n",
                cc=(SANA,),
            ),
        ),
    ),
    Conversation(
        "vltava-intro",
        "Sensors for three weirs",
        (
            Line(
                HANA,
                (SANA,),
                "4d 08:55",
                "Dobrý den,\n\nwe look after three weirs on the Vltava and would like to measure oxygen and turbidity. "
                "Could we have a short introduction in English?\n\nHana Novotná\nVltava Water\n",
            ),
            Line(
                SANA,
                (HANA,),
                "4d 10:05",
                "Dobrý den Hana,\n\nwith pleasure. Friday at ten? Here is a short overview until then.\n\nSana\n",
                files=("TW-4_overview.pdf",),
            ),
        ),
    ),
    Conversation(
        "team-prices",
        "New price list from January",
        (
            Line(
                DMITRI,
                (SANA,),
                "2d 09:00",
                "Hi Sana,\n\nthe new list is ready. Service contracts go up by 3 per cent, probes stay. Shall I hold it "
                "back until Büsum is signed?\n\nDmitri\n",
                files=("Price_list.pdf",),
            ),
            Line(SANA, (DMITRI,), "2d 09:25", "Yes please, hold it until Friday.\n\nSana\n"),
            Line(DMITRI, (SANA,), "2d 09:31", "Done. Nobody outside gets it before.\n\nDmitri\n"),
        ),
    ),
    Conversation(
        "harbour-weekly",
        "Warmer water, busier labs",
        (
            Line(
                "letters@harbour-weekly.example",
                (SANA,),
                "2d 05:00",
                "Three ports publish their oxygen readings live from this month.\nhttps://harbour-weekly.example/oxygen\n",
                html=NEWSLETTER_HTML,
            ),
        ),
    ),
    Conversation(
        "busum-visit",
        "Visit to Büsum on the 12th",
        (
            Line(SANA, (LENA,), "16d 10:00", "Hi Lena, the 12th works. I bring two probes to show.\n\nSana\n"),
            Line(LENA, (SANA,), "16d 10:40", "Perfect. Boots are here, size 40 and up.\n\nLena\n"),
        ),
        folder="Archive",
    ),
    Conversation(
        "miura-spring",
        "展示会でのご挨拶",
        (
            Line(
                SATO,
                (SANA,),
                "34d 03:15",
                "オカフォー様\n\n先日の展示会ではありがとうございました。水質監視システムについて、詳しくお話を伺いたく存じます。"
                "\n\n佐藤 彩\n",
            ),
            Line(
                SANA,
                (SATO,),
                "33d 07:45",
                "佐藤様\n\nご連絡ありがとうございます。来週の火曜日はいかがでしょうか。\n\nSana Okafor\n",
            ),
        ),
        folder="Archive",
    ),
)
