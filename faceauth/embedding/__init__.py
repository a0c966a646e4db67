"""Built-in embedders, one file each: aligned crops in, unit vectors out. They know no identity and no threshold."""
