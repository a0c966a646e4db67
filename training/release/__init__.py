"""ONNX and LiteRT files of trained weights, with their cards and reports."""
