"""Measurements behind the constants and claims of faceauth. They print tables and write JSON; nothing imports them."""

import faceauth  # noqa: F401  # before anything imports onnxruntime: switches its telemetry off
