"""Tables, columns and types: what the lake holds, as data."""
