"""Pictures of runs and load, as SVG and by matplotlib: weeks and months of many jobs, a year of one.

A picture is a value: what it shows, in plain instants, numbers and names. ``to_svg`` draws it; the module
``figures`` draws it with matplotlib, which only that module imports.
"""
