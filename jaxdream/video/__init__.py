"""Videos: their frames, their sound, and how the dream of one frame is carried to the next."""
