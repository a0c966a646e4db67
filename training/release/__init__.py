"""Release: trained weights in; ONNX and LiteRT files, cards and reports out."""
