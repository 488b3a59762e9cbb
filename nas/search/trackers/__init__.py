"""Where runs can be shown, one file each."""
