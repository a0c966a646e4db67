"""Reads published collections and portraits, and stores labelled images in shards."""
