"""The page: dreams in a browser, a thin skin over the public functions."""
