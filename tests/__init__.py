"""The claims of Standfast, each proven by a run."""
