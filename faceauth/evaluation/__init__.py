"""Evaluation: labelled images, error rates with intervals, plots and a page."""
