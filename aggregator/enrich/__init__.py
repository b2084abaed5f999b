"""Body, one-sentence summary and translation of stored items, off the poll's path."""
