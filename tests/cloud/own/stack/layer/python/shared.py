"""What the layer brings along."""

SOURCE = "shop"
