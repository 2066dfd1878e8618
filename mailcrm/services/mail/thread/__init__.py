"""Conversations: `references` decides (pure), `assign` writes."""
