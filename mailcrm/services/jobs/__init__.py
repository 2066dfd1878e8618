"""Jobs: wake-ups through Huey. The rows say what is to do; a lost job loses nothing."""
