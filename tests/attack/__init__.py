"""An attack on the command line: odd files, texts, servers and moments of killing.

A generator of each area writes files into a folder and gives the command line to run there; what
must hold afterwards is the same for all (``invariants``). ``scripts/attack.py`` runs it for hours.
"""
