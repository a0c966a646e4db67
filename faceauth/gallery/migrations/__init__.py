"""The versions of the database, oldest first; Alembic runs them."""
