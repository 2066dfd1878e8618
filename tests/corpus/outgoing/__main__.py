"""Write the golden files anew: `python -m tests.corpus.outgoing`."""

from __future__ import annotations

from mailcrm.services.mail.outbox.build import build
from tests.corpus.outgoing import MAILS, path_of

for name, mail in MAILS.items():
    path_of(name).write_bytes(build(mail))
print(len(MAILS), "written")
