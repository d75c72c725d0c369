"""Configuration: one YAML file, every field overridable from the environment, no unknown keys."""
