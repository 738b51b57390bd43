"""A grade on other platforms: their formats, and bundles that grade there."""
