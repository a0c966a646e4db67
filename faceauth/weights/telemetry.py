"""Switches the telemetry of onnxruntime off. Imported by ``faceauth`` itself, before anything imports onnxruntime.

Some wheels of onnxruntime write a device id into the home folder and look for a host to report to as soon as they are
imported; the threads that do so also crash a forked child at its exit. The variable is read at that moment and not
later, and no call undoes what has started, so if onnxruntime is already imported, all that is left is a warning.
"""

import os
import sys
import warnings

VARIABLE = "ORT_DISABLE_TELEMETRY"

if "onnxruntime" in sys.modules and os.environ.get(VARIABLE) != "1":
    warnings.warn(
        f"onnxruntime was imported before faceauth, without {VARIABLE}=1: it may write into the home folder and send "
        f"usage data, which faceauth promises not to do. Import faceauth first, or set {VARIABLE}=1.",
        RuntimeWarning,
        stacklevel=2,
    )
os.environ[VARIABLE] = "1"
