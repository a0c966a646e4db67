"""Training of SpoofNet: from labelled images to the weights that the library ships. Torch lives here only."""

import faceauth  # noqa: F401  # before anything imports onnxruntime: switches its telemetry off
