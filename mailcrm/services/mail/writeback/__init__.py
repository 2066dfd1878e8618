"""Does in the mailbox what its user did here, and nothing else: a durable queue, a truth table, one applier."""
