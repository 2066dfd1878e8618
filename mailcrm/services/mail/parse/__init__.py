"""Bytes to values, purely. `message.parse_message` in, `html.clean_html` out.

message (front door) <- headers, addresses, tree, body, attachments <- charsets, values.
text, quoting, plain: text for reading, searching and quoting. html, css, links: cleaning.
"""
