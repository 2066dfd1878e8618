"""Search in messages: the text that is indexed and asked for (text), and where it is kept (index)."""
