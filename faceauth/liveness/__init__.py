"""Built-in liveness backends, one file each: crops in, P(live) out. They know no verdict; the pipeline decides."""
