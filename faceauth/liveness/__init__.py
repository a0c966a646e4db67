"""Built-in liveness backends, one file each."""
