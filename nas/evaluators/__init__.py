"""Who judges a genotype: one file per evaluator."""
