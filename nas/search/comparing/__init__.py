"""Many searches as one experiment: the same work for every arm, the same seeds, one runner."""
