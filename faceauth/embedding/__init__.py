"""Built-in embedders, one file each."""
