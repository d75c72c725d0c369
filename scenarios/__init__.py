"""Stories of faults, and the platform they happen to."""
