"""Every connector by the name params use: a plain dict of functions."""
