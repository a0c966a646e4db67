"""The weight files, a card for each model, and the onnxruntime sessions that run them."""
