"""The faults, one class each: begun on a stand, and healed."""
