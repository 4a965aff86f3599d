"""Keras 3 on several workers, on whatever backend: what is found here is imported where it is used."""
