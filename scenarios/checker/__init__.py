"""The checker: what was invoked, seen and injected, held against the log: five invariants."""
