"""A small real platform to watch: a database, a cache, an application, a webhook receiver."""
