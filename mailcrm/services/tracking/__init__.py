"""Open and click tracking: tokens, rewriting, recording, classes and what is shown of them."""
