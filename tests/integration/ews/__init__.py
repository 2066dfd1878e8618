"""Exchange through its web services, on both databases."""
