"""Functions that lay components out into pages; no I/O."""
