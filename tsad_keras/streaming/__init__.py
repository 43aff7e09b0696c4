"""The same scores, row by row as they come, with bounded memory."""
