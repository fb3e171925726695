"""How fast updates, training steps and the main job are, against the machine's own limit and beside other packages."""
