"""What can be typed after dev.py: one module per command, each with `run(given)`, and the table of their arguments."""
