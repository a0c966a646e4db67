"""The HTTP service: sessions, logins, enrolment and search over a gallery. Needs the extra ``server``."""

import faceauth.server.required_packages  # noqa: F401  # first: it says which extra is missing
from faceauth.server.api_keys import KeyFile, Scope
from faceauth.server.asgi import application
from faceauth.server.service import Service

__all__ = ["KeyFile", "Scope", "Service", "application"]
