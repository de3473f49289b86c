"""SQL over the lake: catalog, engines, output."""
