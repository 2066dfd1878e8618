"""mailcrm: a self-hosted CRM mail app in pure Python."""

__version__ = "0.1.0"
