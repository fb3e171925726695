"""How fast updates, training steps and whole runs are, against the machine's own limit and beside other packages."""
