"""For maintainers: the contract of a lab, the scaffold, everything that is generated."""
