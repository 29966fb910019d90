"""*Where* jobs live and fire: ``base`` is the port, every other module an adapter behind it."""
