"""Many runs: grids, searches, several seeds."""
