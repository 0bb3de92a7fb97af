"""The live engine driven from recordings and simulations, and the scoring of what it answers."""
