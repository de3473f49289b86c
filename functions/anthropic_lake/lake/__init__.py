"""Where objects stand, and how they are written and read."""
