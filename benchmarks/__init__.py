"""Measurements behind the constants and claims of faceauth. They print tables and write JSON; nothing imports them."""
