"""Weight files: what is known about them, where they are, and how they are read."""
