"""What the cards would have been, for a whole population, at each opening of each chart."""
