"""Trained networks as files: what a model is, how it is kept, read, exported and used."""
