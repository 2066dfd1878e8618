"""Well-known names of folders by role, in many languages: what providers and mail programs call theirs. Data only.

Lower case, without a namespace prefix (providers.md section 7). Sources: what Gmail, Outlook, iCloud, Yahoo, GMX, Mail.ru,
Yandex, QQ, Netease, Naver, Thunderbird and Apple Mail create in their languages. "Outbox" in any language is in none of
them: it is not *sent*.
"""

from __future__ import annotations

NAMES: dict[str, str] = {
    "sent": (
        "sent, sent items, sent mail, sent messages, outbox sent, gesendet, gesendete elemente, gesendete objekte, "
        "envoyés, messages envoyés, éléments envoyés, enviados, elementos enviados, posta inviata, inviati, "
        "verzonden, skickat, sendt, wysłane, отправленные, gönderilmiş öğeler, 送信済み, 送信済みメール, 送信済みアイテム, 已发送, "
        "已发送邮件, 寄件備份, 보낸편지함, المرسلة, outbox-sent, sent-mail, sentmail, sent email, gesendete nachrichten, "
        "postausgang gesendet, envoyé, courrier envoyé, objets envoyés, mensajes enviados, correo enviado, "
        "itens enviados, mensagens enviadas, elementi inviati, verzonden items, verzonden berichten, "
        "skickade objekt, skickade, sendt post, sendte elementer, sendte, lähetetyt, lähetetyt viestit, "
        "elementy wysłane, wysłane wiadomości, odeslané, odeslaná pošta, odoslané, elküldött, elküldött elemek, "
        "poslano, poslane poruke, trimise, elemente trimise, изпратени, отправленные элементы, надіслані, "
        "απεσταλμένα, gönderilmiş, gönderilenler, gönderilen postalar, 送信済, 送信済メール, 送信済みトレイ, 送信済みフォルダ, 送信メール, 已傳送, "
        "寄件备份, 寄件備份匣, 已发送消息, 已送出, 보낸 편지함, 보낸메일함, 보낸 메일함, 보낸 항목, נשלחו, דואר שנשלח, thư đã gửi, đã gửi, "
        "รายการที่ส่ง, จดหมายที่ส่ง, terkirim, ارسال شده, العناصر المرسلة"
    ),
    "drafts": (
        "drafts, draft, entwürfe, brouillons, borradores, rascunhos, bozze, concepten, utkast, kladder, szkice, "
        "черновики, taslaklar, 下書き, 草稿, 草稿箱, 임시보관함, المسودات, entwurf, brouillon, borrador, rascunho, bozza, "
        "concept, kladde, luonnokset, wersje robocze, robocze, koncepty, rozepsané, piszkozatok, nacrti, ciorne, "
        "чернетки, чернови, πρόχειρα, taslak, 下書きメール, 下書き保存, 草稿匣, 草稿夹, 임시 보관함, 임시보관메일함, טיוטות, thư nháp, "
        "bản nháp, ฉบับร่าง, konsep, پیش نویس"
    ),
    "archive": (
        "archive, archives, archiv, archivo, arquivo, archivio, archief, arkiv, архив, arşiv, アーカイブ, 归档, 封存, 보관함, "
        "archived, archived items, archivés, archiviati, archivados, arquivados, gearchiveerd, arkisto, archiwum, "
        "archív, archív správ, archívum, arhiva, arhivă, архів, αρχείο, αρχειοθέτηση, 保存済み, 保管, 存档, 存檔, 封存郵件, "
        "보관 메일함, 보관 편지함, ארכיון, lưu trữ, ที่เก็บถาวร, arsip, بایگانی, الأرشيف"
    ),
    "junk": (
        "junk, spam, junk email, junk e-mail, bulk mail, bulk, courrier indésirable, indésirables, "
        "correo no deseado, lixo eletrônico, posta indesiderata, ongewenst, skräppost, спам, gereksiz, 迷惑メール, "
        "垃圾邮件, 垃圾郵件, 스팸메일함, junk mail, junk items, bulk email, spamverdacht, werbung spam, junk-e-mail, "
        "junk-email, unerwünscht, unerwünschte werbung, courrier indesirable, pourriel, indésirable, "
        "correo basura, no deseado, no deseados, lixo eletrónico, lixo electrónico, spam posta, ongewenste e-mail, "
        "skräp, skräpmail, uønsket mail, uønsket e-mail, søppelpost, søppel-e-post, roskaposti, "
        "wiadomości-śmieci, niechciane, nevyžádaná pošta, nevyžiadaná pošta, levélszemét, нежелательная почта, "
        "нежелателна поща, небажана пошта, ανεπιθύμητα, ανεπιθύμητη αλληλογραφία, gereksiz e-posta, önemsiz, "
        "önemsiz e-posta, istenmeyen, 迷惑メールフォルダ, 迷惑メールフォルダー, スパム, スパムメール, 広告メール, 垃圾信件, 垃圾箱邮件, 广告邮件, 스팸함, 스팸메일, "
        "스팸 메일함, 정크 메일, 정크메일, דואר זבל, thư rác, จดหมายขยะ, هرزنامه, البريد غير الهام"
    ),
    "trash": (
        "trash, deleted items, deleted messages, deleted, bin, papierkorb, gelöschte elemente, gelöschte objekte, "
        "corbeille, éléments supprimés, papelera, lixeira, cestino, prullenbak, papperskorgen, papirkurv, kosz, "
        "корзина, çöp kutusu, ゴミ箱, 削除済みアイテム, 已删除, 垃圾桶, 휴지통, deleted mail, deleted mails, trash can, wastebasket, "
        "recycle bin, gelöscht, gelöschte nachrichten, abfall, messages supprimés, supprimés, poubelle, "
        "elementos eliminados, eliminados, itens excluídos, itens eliminados, lixo, posta eliminata, "
        "elementi eliminati, eliminati, verwijderde items, verwijderd, borttaget, borttagna objekt, slettet post, "
        "slettede elementer, slettede, roskakori, poistetut, elementy usunięte, usunięte, koš, odstraněná pošta, "
        "kôš, lomtár, törölt elemek, smeće, otpad, coș de gunoi, elemente șterse, кошче, удаленные, удалённые, "
        "удаленные элементы, кошик, видалені, κάδος απορριμμάτων, διαγραμμένα, çöp, silinmiş öğeler, silinenler, "
        "ごみ箱, ゴミ箱フォルダ, 削除済み, 削除済メール, 削除済みメール, 已删除邮件, 已刪除, 刪除的郵件, 废件箱, 垃圾筒, 回收站, 지운편지함, 지운 편지함, 지운 항목, 삭제한 메일, "
        "אשפה, פריטים שנמחקו, thùng rác, đã xóa, ถังขยะ, sampah, زباله دان, المهملات, العناصر المحذوفة"
    ),
    "all": (
        "all mail, alle nachrichten, tous les messages, todos, すべてのメール, all messages, alle berichten, "
        "tous les e-mails, todos los mensajes, todos os e-mails, tutti i messaggi, tutta la posta, "
        "alla mail, wszystkie, вся почта, すべての メール, 所有邮件, 所有郵件, 全部邮件, 전체보관함"
    ),
}
