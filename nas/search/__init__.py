"""From words to finished studies: plan a search, run it, read what its log says, leave the
winner."""
