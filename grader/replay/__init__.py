"""A run as data, and what is made of it."""
