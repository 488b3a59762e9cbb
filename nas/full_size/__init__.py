"""One genotype at full size: trained with several seeds, judged once."""
