"""Compiles jaxdream's programs for TPUs and GPUs that are described, not there."""
