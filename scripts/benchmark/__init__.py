"""How fast jaxdream is: beside the same network in PyTorch, and beside another commit of itself."""
