"""Who decides: one module a domain, each a pure decider. Only `actors.runtime` touches the world."""
