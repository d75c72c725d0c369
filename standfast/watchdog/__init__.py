"""The watchdog needs neither Ray nor NATS: it notices when all else is silent, and tells people."""
