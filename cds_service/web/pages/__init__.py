"""HTML pages, rendered from templates, with nothing from other hosts and no inline script."""
