"""Is this the person who enrolled, and live? ``python examples/login.py LOGIN_PHOTO ENROLLED_PHOTO``."""

import sys

from faceauth import Pipeline, load_config

login_photo, enrolled_photo = sys.argv[1:]
pipeline = Pipeline(load_config(arguments={"policy": {"require_match": True}}))  # without a reference it refuses to run
template = pipeline.embed(enrolled_photo)  # to be stored as template.model_dump_json(); it is biometric data
result = pipeline.verify(login_photo, reference=template)
if not result.accepted:
    sys.exit(f"No entry: {result.message}")
print("Welcome.")
