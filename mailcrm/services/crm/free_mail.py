"""Domains where anybody may have an address: they say nothing about an organization. Data, and one question. Pure.

The providers of providers.md with the names they give away in every country, and the big ones beside them. A domain
below one of them (vip.163.com) is one too.
"""

from __future__ import annotations

import re

#: Brands that give addresses away under many countries' domains: yahoo.co.jp, hotmail.com.br, gmx.li, yandex.kz …
_BRANDS = frozenset(
    """
    aol caramail fastmail gmail gmx googlemail hotmail icloud live msn myyahoo narod outlook protonmail rocketmail
    windowslive yahoo yandex ymail zohomail
    """.split()
)
_COUNTRY = re.compile(r"(?:com?|net|org|info|biz|eu|fm|[a-z]{2})(?:\.[a-z]{2})?")
#: One by one: those without brothers, and internet providers whose customers get an address.
_DOMAINS = frozenset(
    """
    me.com mac.com pm.me proton.me hey.com mail.com email.com usa.com inbox.com tutanota.com tutanota.de tuta.io
    tuta.com keemail.me zoho.com zoho.eu soverin.net gandi.net hover.com bluehost.com hushmail.com posteo.de posteo.net
    mailbox.org disroot.org riseup.net startmail.com runbox.com mailfence.com duck.com pobox.com simplelogin.com
    mozmail.com privaterelay.appleid.com aim.com compuserve.com cs.com netscape.net netscape.com wmconnect.com juno.com
    netzero.net earthlink.net mindspring.com comcast.net xfinity.com verizon.net att.net sbcglobal.net bellsouth.net
    cox.net charter.net spectrum.net rr.com optonline.net frontier.com windstream.net centurylink.net q.com rogers.com
    shaw.ca sympatico.ca bell.net telus.net videotron.ca btinternet.com btopenworld.com sky.com virginmedia.com
    virgin.net ntlworld.com blueyonder.co.uk talktalk.net tiscali.co.uk plusnet.com eircom.net web.de t-online.de
    freenet.de arcor.de 1und1.de online.de mail.de email.de mein.gmx mail.gmx email.gmx bluewin.ch sunrise.ch hispeed.ch
    aon.at chello.at a1.net orange.fr wanadoo.fr free.fr laposte.net sfr.fr neuf.fr bbox.fr club-internet.fr numericable.fr
    skynet.be telenet.be proximus.be ziggo.nl kpnmail.nl planet.nl xs4all.nl home.nl hetnet.nl libero.it virgilio.it
    alice.it tin.it tim.it tiscali.it fastwebnet.it poste.it telefonica.net terra.es jazztel.es ono.com movistar.es
    sapo.pt clix.pt telia.com bredband.net tele2.se comhem.se online.no broadpark.no mail.dk stofanet.dk kolumbus.fi
    elisanet.fi luukku.com seznam.cz centrum.cz email.cz post.cz volny.cz azet.sk zoznam.sk wp.pl o2.pl onet.pl onet.eu
    interia.pl gazeta.pl op.pl tlen.pl freemail.hu citromail.hu indamail.hu abv.bg mail.bg yahoo.ro ukr.net i.ua meta.ua
    bigmir.net mail.ua mail.ru bk.ru inbox.ru list.ru internet.ru rambler.ru lenta.ru ya.ru vk.com tut.by mail.ee inbox.lv
    walla.com walla.co.il netvision.net.il mynet.com ttmail.com uol.com.br bol.com.br terra.com.br ig.com.br globo.com
    globomail.com r7.com zipmail.com.br prodigy.net.mx terra.com rediffmail.com sify.com bigpond.com bigpond.net.au
    optusnet.com.au iinet.net.au tpg.com.au internode.on.net westnet.com.au xtra.co.nz slingshot.co.nz mweb.co.za
    telkomsa.net qq.com vip.qq.com foxmail.com 163.com vip.163.com 188.com 126.com vip.126.com yeah.net 139.com 189.cn
    wo.cn sina.com sina.cn vip.sina.com sohu.com tom.com 21cn.com 263.net aliyun.com hinet.net pchome.com.tw seed.net.tw
    netvigator.com singnet.com.sg starhub.net.sg streamyx.com naver.com hanmail.net daum.net kakao.com nate.com
    docomo.ne.jp ezweb.ne.jp au.com softbank.ne.jp i.softbank.jp ymobile.ne.jp y-mobile.ne.jp nifty.com biglobe.ne.jp
    so-net.ne.jp ocn.ne.jp ybb.ne.jp plala.or.jp dion.ne.jp excite.co.jp goo.jp infoseek.jp jcom.home.ne.jp asahi-net.or.jp
    eonet.ne.jp odn.ne.jp hi-ho.ne.jp wind.ne.jp sannet.ne.jp kcn.jp ctt.ne.jp rakuten.jp uqmobile.jp
    """.split()
)


def is_free(domain: str) -> bool:
    """Whether anybody may have an address at this domain, given in lower case."""
    labels = domain.rstrip(".").split(".")
    for at in range(max(0, len(labels) - 4), len(labels) - 1):
        below = labels[at:]
        if ".".join(below) in _DOMAINS or (below[0] in _BRANDS and _COUNTRY.fullmatch(".".join(below[1:]))):
            return True
    return False


def organization_domains(address: str) -> tuple[str, ...]:
    """Return the domains by which an organization may be known from an address, the nearest first.

    Its own and those above it, but no country's or other public ending of one or two short labels; none for free mail.
    """
    domain = address.rpartition("@")[2].lower().rstrip(".")
    labels = domain.split(".")
    if len(labels) < 2 or not all(labels) or domain.startswith("[") or is_free(domain):
        return ()
    found = [".".join(labels[at:]) for at in range(len(labels) - 1)]
    ending = 1 if len(labels[-1]) == 2 and len(labels) > 2 and len(labels[-2]) <= 3 else 0  # co.jp, com.au, ac.uk
    return tuple(found[: max(1, len(found) - ending)])[:4]
