"""What leaves the house: a network as files that run without us, each verified before it is handed
over."""
