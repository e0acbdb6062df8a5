"""Sample people with whole histories: always the same ids and contents, so that loading them again changes nothing."""
