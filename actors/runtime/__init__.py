"""Where deciders live: hosts, mailboxes, timers, policies and placement, on Ray and NATS."""
