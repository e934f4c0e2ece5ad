"""Training: recipes, the loop, and the card that goes with a model."""
