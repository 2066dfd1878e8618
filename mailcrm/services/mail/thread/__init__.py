"""Conversations: `references` decides (pure), `assign` writes, `manual` splits and merges for their owner."""
