"""Records of JSON to rows of Arrow."""
