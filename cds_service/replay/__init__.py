"""Replay: judge the past charts of a whole population, at each opening of each chart."""
