"""From a judgement to cards: words, layout, draft orders, sanitizing."""
