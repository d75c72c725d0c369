"""The world: small ports and one adapter a file; nothing here decides."""
