"""Says which packages of the extra ``server`` are missing, before anything imports them."""

from importlib.util import find_spec

from faceauth.errors import UsageError

PACKAGES = ("argon2", "fastapi", "prometheus_client", "python_multipart", "uvicorn")

_absent = [name for name in PACKAGES if find_spec(name) is None]
if _absent:
    raise UsageError(f"The HTTP service needs {' and '.join(_absent)}: `pip install 'faceauth[server]'`.")
