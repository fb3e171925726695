"""The Hydra side of the settings: schemas, checks, help, names."""
