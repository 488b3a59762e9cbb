"""How a genotype looks: one layout, and SVG, PNG, DOT and terminal drawings made from it (stdlib
only)."""
