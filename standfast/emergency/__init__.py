"""When the log takes nothing, people are told all the same, and the log is told later."""
