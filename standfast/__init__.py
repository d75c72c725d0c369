"""The shell of Standfast: command line, configuration, supervision and web."""
