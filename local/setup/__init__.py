"""What dev.py does before Python 3.13 is at hand: the standard library of Python 3.8 and nothing else."""
