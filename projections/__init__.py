"""What people see, kept up to date from the log."""
