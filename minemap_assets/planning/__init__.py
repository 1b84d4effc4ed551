"""What a run would cost, and whether each source works here."""
