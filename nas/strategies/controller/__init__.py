"""What surrounds the RNN controller: its settings, diagnostics, snapshots and the proof that it
learns."""
