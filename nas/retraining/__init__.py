"""Training at full size, several times, judged once: what a claim about an architecture rests on."""
