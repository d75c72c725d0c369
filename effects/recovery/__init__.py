"""What Standfast may do to mend a service."""
