"""What leaves the house: one genotype's network as files that run without us, each verified before it is handed over."""
