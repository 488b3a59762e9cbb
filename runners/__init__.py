"""Where trials run: here, or wherever Ray Tune finds a machine."""
