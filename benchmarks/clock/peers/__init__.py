"""The searches: a module for each package, imported only when it is run."""
