"""Data: published collections and folders of portraits in, shards of labelled images out."""
