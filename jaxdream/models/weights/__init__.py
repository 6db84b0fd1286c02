"""Weight files: the known ones, where they are, and how they are read."""
