"""Training of SpoofNet: from labelled pictures to the weights that the library ships. Torch lives here only."""
