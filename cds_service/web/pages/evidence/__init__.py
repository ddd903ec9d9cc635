"""What every rule and cause rests on: words, numbers, sources, who has reviewed it, and what is not known."""
