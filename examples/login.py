"""Is this the person who enrolled, and live? ``python examples/login.py LOGIN_PHOTO ENROLLED_PHOTO``."""

import sys

from faceauth import Pipeline

login_photo, enrolled_photo = sys.argv[1:]
pipeline = Pipeline(require_match=True)  # reads no environment, and refuses to run without a reference
template = pipeline.embed(enrolled_photo)  # once, from a photo that was itself verified as live; it is biometric data
result = pipeline.verify(login_photo, reference=template)
if not result.accepted:
    sys.exit(f"No entry: {result.message}")
print("Welcome.")
