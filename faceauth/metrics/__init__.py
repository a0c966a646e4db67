"""Error rates and their confidence intervals: pure functions of scores and labels."""
