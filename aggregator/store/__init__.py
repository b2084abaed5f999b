"""The SQLite file: migrations, the one writer, the readers. The only user of sqlite3 and sqlite-utils."""
