"""Finds, loads, checks and times the backends of the stages, and combines several into one decision."""
