"""Lab __NUMBER__."""
