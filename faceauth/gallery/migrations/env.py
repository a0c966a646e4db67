"""What Alembic runs: the versions, in the transaction of the connection that :mod:`..migrating` hands over."""

from alembic import context

context.configure(connection=context.config.attributes["connection"])
context.run_migrations()
