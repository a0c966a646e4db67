"""Trains SpoofNet on shards by a recipe. Torch is imported from here on."""
