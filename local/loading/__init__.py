"""Loads files into a running app through its API, as any other program would."""
