"""What is typed: expressions, instants, files, options of jobs, selections of jobs, and their completion."""
