"""Files of any kind: the only way in, the only way out, and a guard over both."""
