"""The simulator: the product's own code under a seeded clock, network, log and world."""
