"""The index of what is in the items: terms by path and value, in a file of its own that follows the items."""
