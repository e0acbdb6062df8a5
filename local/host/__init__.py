"""The functions host: runs one function app on this machine as Azure would; `python -m local.host`."""
