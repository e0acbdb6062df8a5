"""Communication Services' email, as far as its REST protocol goes; nothing is sent, everything is kept and shown."""
