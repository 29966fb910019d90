"""What people see: tables for notebooks, progress."""
