"""From a NetworkSpec to a Design, from a Design to a deck, and from a deck back."""
