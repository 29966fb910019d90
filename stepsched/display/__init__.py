"""Output for people: tables for notebooks, progress bars."""
