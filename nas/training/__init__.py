"""How a network is trained: a recipe of settings, a loop, and nothing that knows of searches."""
