"""The network of a genotype as one readable file."""
