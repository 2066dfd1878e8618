"""What mailcrm does: verbs that take the actor first, authorise every row, and own their transactions."""
