"""Says which packages of the extra ``login`` are missing, before anything imports them."""

from importlib.util import find_spec

from faceauth.errors import UsageError

PACKAGES = ("sqlalchemy", "alembic", "cryptography")

_missing = [name for name in PACKAGES if find_spec(name) is None]
if _missing:
    raise UsageError(f"Logging in needs {' and '.join(_missing)}: `pip install 'faceauth[login]'`.")
