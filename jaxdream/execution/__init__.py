"""How a step is compiled, fits into memory and is spread over devices."""
