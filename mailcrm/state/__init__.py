"""One state module for each page; handlers call services in threads."""
