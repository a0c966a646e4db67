"""Built-in detectors, one file each; the pipeline picks the face to judge."""
