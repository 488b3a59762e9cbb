"""What several tests share, under one name: no test imports a test."""
