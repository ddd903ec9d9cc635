"""The DVT pathway: what opens a suspicion, what closes it, the Wells score and the urgency."""
