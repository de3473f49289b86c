"""The dependencies layer: what is in it and how it is built."""
