"""What people wrote under `inputs/`: settings, regions and files."""
