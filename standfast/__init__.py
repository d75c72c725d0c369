"""The shell: the only code that knows every layer."""
