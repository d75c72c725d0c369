"""Measurements by area, each figure with its peer measured in the same run."""
