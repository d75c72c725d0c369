"""Who carries intents out: each errand once, in its time, and with its end in the log."""
