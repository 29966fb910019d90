"""The page that shows the jobs of a client."""
