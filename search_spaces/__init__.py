"""What can be drawn, and how a drawing becomes a network."""
