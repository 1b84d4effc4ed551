"""Values kept in memory: the last used, each made once however many threads want it."""
