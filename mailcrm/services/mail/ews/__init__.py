"""Exchange on premises through its web services (EWS), behind the same interface as IMAP."""
