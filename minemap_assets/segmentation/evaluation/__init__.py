"""How good a model is on ground that it was not trained on: scores, tables and pictures."""
