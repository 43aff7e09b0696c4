"""What `--help` says: which command is for what, examples, and why a setting has its default."""
