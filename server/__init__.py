"""What comes in: one folder a feature; routes speak HTTP, operations own transactions."""
