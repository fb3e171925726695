"""Where metrics go: a JSON lines file, the console, Weights & Biases."""
