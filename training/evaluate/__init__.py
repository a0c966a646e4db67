"""Evaluation: trained weights in, reports, comparisons, cross-validation and doubts about labels out."""
