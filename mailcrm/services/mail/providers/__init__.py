"""What mailcrm knows about mail servers: their addresses, their security, and how to try them out."""
