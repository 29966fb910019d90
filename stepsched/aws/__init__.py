"""Knowledge about AWS: its services, their names, and the requests of their APIs. Data and pure functions.

Models are loaded from botocore on first use. No module calls AWS, except that :mod:`sdk` maps its errors.
"""
