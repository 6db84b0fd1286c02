"""Feature visualisation: what a class, channel, neuron or direction looks like."""
