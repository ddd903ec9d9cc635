"""Pages of the referral order linked from an urgent card: a text to copy, or a SMART app that can place the order."""
