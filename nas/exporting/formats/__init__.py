"""One file per format: a function that writes a subject into a folder and says how to try what it
wrote."""
