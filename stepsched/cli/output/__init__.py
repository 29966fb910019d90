"""What is printed: results as tables, text, JSON, YAML and names."""
