"""One run of one asset: which days, in which order, and its record."""
