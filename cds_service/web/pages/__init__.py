"""Pages people look at: drawn here from templates, with nothing from other hosts and no inline script."""
