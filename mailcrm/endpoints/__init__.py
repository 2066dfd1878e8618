"""Raw HTTP: sign-in, message bodies, tracking, health, the REST interface."""
