"""Amazon States Language. So far: the reader of its expressions."""
