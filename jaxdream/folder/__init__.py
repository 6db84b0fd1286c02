"""Dreaming a folder of pictures: ``jaxdream batch`` and ``dream_files``."""
