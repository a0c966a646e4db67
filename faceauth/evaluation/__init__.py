"""Evaluation: a manifest of labelled pictures in, error rates with intervals, plots and a page out."""
