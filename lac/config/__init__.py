"""The settings in Hydra: schemas, checks, help, names."""
