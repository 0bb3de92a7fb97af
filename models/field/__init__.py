"""The robust Gaussian-process field of the spatial errors, one posterior per grid cell."""
