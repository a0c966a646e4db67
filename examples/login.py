"""Is this the person who enrolled, and live? ``python examples/login.py LOGIN_PHOTO ENROLLED_PHOTO``."""

import sys

from faceauth import Pipeline, load_config

login_photo, enrolled_photo = sys.argv[1:]
# Both are required here, whatever the environment says; without a reference it refuses to run.
pipeline = Pipeline(load_config(arguments={"policy": {"require_match": True, "require_liveness": True}}))
template = pipeline.embed(enrolled_photo)  # once, from a photo that was itself verified as live; it is biometric data
result = pipeline.verify(login_photo, reference=template)
if not result.accepted:
    sys.exit(f"No entry: {result.message}")
print("Welcome.")
