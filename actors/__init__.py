"""Who decides: one module a domain, each a pure decider; only `actors.runtime` is not."""
