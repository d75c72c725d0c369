"""Faults of our own parts, done on purpose: what is hurt, when, and what is known of it."""
