"""Picture files and pixels: reading, writing, resampling. Nothing here knows a network."""
