"""Built-in detectors, one file each: a picture in, faces out. They know no policy; the pipeline picks the face."""
