"""The 2015 algorithm: pure functions on one picture, nothing about how they are compiled."""
