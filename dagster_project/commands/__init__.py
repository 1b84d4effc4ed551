"""What the commands do: imported when one runs, so that `cli/` stays light."""
