"""What the units of a network see in many pictures: examples of each unit, the atlas of a layer."""
