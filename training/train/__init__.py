"""Training: shards and a recipe in, weights of SpoofNet out."""
