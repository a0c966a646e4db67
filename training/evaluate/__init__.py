"""Reports, comparisons and cross-validation of trained weights, and an audit of labels."""
