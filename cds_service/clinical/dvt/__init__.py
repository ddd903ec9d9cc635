"""The DVT pathway: what opens a suspicion, what closes it, the score and the urgency."""
