"""What the parts that run on Ray are made of: one file for each kind of process, and what they
say."""
