"""Thresholds with measured error rates: operating points, points files, camera profiles, calibrated logits."""
