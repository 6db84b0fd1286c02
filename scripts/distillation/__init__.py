"""How the network that comes with jaxdream was made from BVLC GoogLeNet, and how good it is."""
