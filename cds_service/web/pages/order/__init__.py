"""The referral order behind the link of an urgent card: as a text to copy, or as a SMART app that can place it."""
