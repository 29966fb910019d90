"""What happens to runs while a command goes on: waiting for one, following many, serving a file."""
