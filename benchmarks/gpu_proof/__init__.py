"""What a GPU does with this toolkit, proven and measured with one command: `make gpu-proof`."""
