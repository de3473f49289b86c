"""What the template and the warehouses use."""
