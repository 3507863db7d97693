"""What a hall tells everybody on its board."""
