"""May this role do this to that resource."""
