"""Search for settings without test data: a declared space, an objective without test labels."""
