"""How the log itself is kept: backups and archives of it, and what happens when its disk fills."""
