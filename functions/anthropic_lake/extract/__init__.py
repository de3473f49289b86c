"""Which requests give which days of an asset."""
